"""The file of --injection: what it may say, and a sentence for each mistake."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from controller.injection.keys import Key
from controller.injection.reading import SettingsError, read_settings
from controller.injection.settings import (
    MESHES,
    NEVER_TOUCHED,
    LogLevel,
    Ports,
    PullPolicy,
    Settings,
    Sizes,
)

DOCUMENT = Path(__file__).parents[3] / "docs/injection.md"
LEAST = "image: farebox-sidecar:1\ncontrollers: [a.svc:7447]\n"

EVERYTHING = """\
image: registry.example:5000/team/farebox-sidecar:1@sha256:0123
imagePullPolicy: Always
imagePullSecrets: [one, two]
runAsUser: 20000
controllers: [a.svc:7447, "[fd00::1]:7447"]
tokenExpirationSeconds: 7200
resources:
  requests: {cpu: 1, memory: 100Mi}
  limits: {cpu: "2", memory: 1Gi}
stateSizeLimit: 1Gi
logLevel: debug
receipts: false
ports: {listen: 20002, admin: 20003, probes: 20004}
baseUrls: [openai, own]
providers:
  openai: {OPENAI_BASE_URL: /openai/v1, OPENAI_API_BASE: /openai/v1}
  own: {OWN_URL: /own/v1}
env: {FAREBOX_CALLS_MAX: "20"}
keys:
  - {name: OPENAI_API_KEY, secretName: llm-keys, secretKey: openai}
  - {name: HF_TOKEN, secretName: other, secretKey: token, optional: true}
startAfter: [mesh-init]
excludedNamespaces: [monitoring]
"""

SEVENTEEN = ", ".join(f"{{name: A{n}_KEY, secretName: a, secretKey: b}}" for n in range(17))


def read(text: str) -> Settings:
    return read_settings("injection.yaml", text, audience="farebox.dev", own_namespace="farebox")


def mistakes_of(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        read(text)
    return refused.value.mistakes


def test_an_image_and_controllers_are_enough() -> None:
    assert read(LEAST) == Settings(
        image="farebox-sidecar:1",
        controllers=("a.svc:7447",),
        audience="farebox.dev",
        untouched=NEVER_TOUCHED | {"farebox"},
    )


def test_everything_can_be_set() -> None:
    assert read(EVERYTHING) == Settings(
        image="registry.example:5000/team/farebox-sidecar:1@sha256:0123",
        controllers=("a.svc:7447", "[fd00::1]:7447"),
        audience="farebox.dev",
        pull_policy=PullPolicy.ALWAYS,
        pull_secrets=("one", "two"),
        user=20_000,
        token_seconds=7_200,
        sizes=Sizes(cpu="1", memory="100Mi", cpu_limit="2", memory_limit="1Gi"),
        state_size="1Gi",
        log_level=LogLevel.DEBUG,
        receipts=False,
        ports=Ports(listen=20_002, admin=20_003, probes=20_004),
        base_urls=("openai", "own"),
        providers={
            "openai": {"OPENAI_BASE_URL": "/openai/v1", "OPENAI_API_BASE": "/openai/v1"},
            "own": {"OWN_URL": "/own/v1"},
        },
        env={"FAREBOX_CALLS_MAX": "20"},
        keys=(
            Key(name="OPENAI_API_KEY", secret="llm-keys", entry="openai"),
            Key(name="HF_TOKEN", secret="other", entry="token", optional=True),
        ),
        start_after=("mesh-init",),
        untouched=NEVER_TOUCHED | {"farebox", "monitoring"},
    )


def test_the_image_may_choose_the_user_and_limits_may_be_left_out() -> None:
    settings = read(LEAST + "runAsUser: Image\nresources: {limits: {}}\nstartAfter: []\n")

    assert settings.user is None
    assert settings.sizes == Sizes(memory_limit=None)
    assert settings.start_after == ()
    assert read(LEAST).start_after == MESHES


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ("imagePulPolicy: Always", "3: imagePulPolicy: is not a field here: did you mean imag"),
        ("imagePullPolicy: Sometimes", '3: imagePullPolicy: is "Sometimes": write IfNotPresent, '),
        ("runAsUser: 0", "3: runAsUser: is 0: write a whole number from 1 to 2147483647, or Image"),
        ("runAsUser: root", '3: runAsUser: is "root": write a whole number from 1 to 2147483647, '),
        ("resources: {requests: {memory: lots}}", '3: resources.requests.memory: is "lots": write'),
        ("resources: {limits: {memory: 32Mi}}", "3: resources.limits.memory: is 32Mi, less than t"),
        ("resources: {limits: {disk: 32Mi}}", "3: resources.limits.disk: is not a field here: wri"),
        ("stateSizeLimit: 1Mi", '3: stateSizeLimit: is "1Mi": write a quantity from 16Mi to 16Gi'),
        ("logLevel: loud", '3: logLevel: is "loud": write info, debug, warning or error'),
        ("receipts: sometimes", '3: receipts: is "sometimes": write true or false'),
        ("ports: {listen: 80}", "3: ports.listen: is 80: write a whole number from 1024 to 65535"),
        ("ports: {listen: 15003}", "3: ports: has the same port twice: write three different one"),
        (
            "baseUrls: [opnai]",
            '3: baseUrls: "opnai" is not among the providers: did you mean openai',
        ),
        ("providers: {own: {URL: v1}}", '3: providers.own.URL: is "v1": write a path, for example'),
        ("providers: {own: {}}", "3: providers.own: names no variable: write one, such as OPENAI_"),
        ("providers: {Own: {URL: /v1}}", '3: providers.Own: is "Own": write a label of lower-case'),
        ("env: {FAREBOX_JOURNAL: x}", "3: env.FAREBOX_JOURNAL: is set by the injection itself: l"),
        ("env: {FAREBOX_CALLS_MAX: 20}", "3: env.FAREBOX_CALLS_MAX: is the number 20: put it in q"),
        ("keys: {}", "3: keys: is a group of fields: write a list"),
        ("keys: [OPENAI_API_KEY]", '3: keys[0]: is "OPENAI_API_KEY": write fields and their val'),
        ("keys: [{name: A_KEY, secretName: a}]", "3: keys[0].secretKey: is missing: write a key w"),
        (
            "keys: [{name: sk-live, secretName: a, secretKey: b}]",
            "3: keys[0].name: is not fit: write a variable in capitals that ends in KEY, TOKEN, ",
        ),
        (
            "keys: [{name: A_KEY, secretName: A, secretKey: b}]",
            '3: keys[0].secretName: is not fit: write the name of a Secret, for example "llm-keys"',
        ),
        (
            "keys: [{name: A_KEY, secretName: a, secretKey: b, optional: maybe}]",
            '3: keys[0].optional: is "maybe": write true or false',
        ),
        (
            "env: {A_KEY: x}\nkeys: [{name: A_KEY, secretName: a, secretKey: b}]",
            "4: keys[0].name: is A_KEY for the second time, here or in env: keep one",
        ),
        (f"keys: [{SEVENTEEN}]", "3: keys: has 17 entries: write at most 16"),
        ("env: {a-b: x}", '3: env.a-b: is "a-b": write the name of a variable, for example'),
        ("tokenExpirationSeconds: 60", "3: tokenExpirationSeconds: is 60: write a whole number f"),
        ("imagePullSecrets: [a, a]", '3: imagePullSecrets[1]: is "a" for the second time: keep on'),
        ("excludedNamespaces: [A]", '3: excludedNamespaces[0]: is "A": write a namespace of lower'),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(more: str, mistake: str) -> None:
    (said,) = mistakes_of(LEAST + more)
    assert said.startswith(f"injection.yaml:{mistake}")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("image: a\n", "injection.yaml:1: controllers: is missing: write a list of HOST:PORT"),
        ("controllers: [a:1]\n", "injection.yaml:1: image: is missing: write an image"),
        ("image: a\ncontrollers: [a]\n", 'injection.yaml:2: controllers[0]: is "a": write HOST:P'),
        ("- image\n", "injection.yaml:1: is no group of fields: write image, controllers"),
        ("", "injection.yaml: has 0 documents: write one"),
        (f"{LEAST}---\n{LEAST}", "injection.yaml: has 2 documents: write one"),
        ("image: [", "injection.yaml:1: "),
    ],
)
def test_a_file_that_says_too_little(text: str, mistake: str) -> None:
    assert mistakes_of(text)[0].startswith(mistake)


def test_the_documents_example_shows_the_defaults() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    settings = read(example)
    assert settings == replace(read(LEAST), image=settings.image, controllers=settings.controllers)
    for line in example.splitlines():
        assert re.match(r"[a-zA-Z]+: \S", line)


def test_every_mistake_is_told_at_once() -> None:
    assert len(mistakes_of("imag: a\nlogLevel: loud\nruns: 1\n")) == 5

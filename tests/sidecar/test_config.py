"""Flags and variables: what they mean, which wins, and one sentence for each mistake."""

from pathlib import Path

import pytest

from farebox.runtime.endpoints import Endpoint
from sidecar.config import OPTIONS, Config, ConfigError, load_config, usage

NEEDED = ["--controller", "127.0.0.1:7000", "--journal", "journal"]


def test_what_is_needed_suffices() -> None:
    config = load_config(NEEDED, {})
    assert config == Config(controller=(Endpoint("127.0.0.1", 7000),), journal=Path("journal"))


def test_several_controllers_can_be_named() -> None:
    config = load_config(["--controller", "127.0.0.1:1, localhost:2", "--journal", "j"], {})
    assert config.controller == (Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2))


def test_all_flags() -> None:
    config = load_config(
        [
            *NEEDED,
            "--listen=127.0.0.1:0",
            "--admin",
            "localhost:1",
            "--namespace",
            "acme",
            "--name=assistant-0",
            "--labels=app=assistant, team=support",
            "--receipts",
            "r.jsonl",
            "--ready-file",
            "ready",
            "--weights-dir=weights",
            "--keep-prompts=true",
            "--log-level",
            "debug",
            "--calls-max",
            "7",
        ],
        {},
    )
    assert (config.listen, config.admin) == (Endpoint("127.0.0.1", 0), Endpoint("127.0.0.1", 1))
    assert (config.namespace, config.name) == ("acme", "assistant-0")
    assert config.labels == {"app": "assistant", "team": "support"}
    assert (config.receipts, config.ready_file) == (Path("r.jsonl"), Path("ready"))
    assert (config.log_level, config.calls_max) == ("debug", 7)
    assert config.weights_dir == Path("weights")
    assert config.keep_prompts


def test_with_certificates_and_a_token_controllers_may_be_anywhere() -> None:
    config = load_config(
        ["--journal=j", "--token-file=token", "--probes=[10.0.0.5]:15004"],
        {
            "FAREBOX_CONTROLLER": "c-0.controller.farebox.svc:7447,c-1.controller.farebox.svc:7447",
            "FAREBOX_CONTROLLER_CA": "ca.pem",
        },
    )
    assert [str(one) for one in config.controller] == [
        "c-0.controller.farebox.svc:7447",
        "c-1.controller.farebox.svc:7447",
    ]
    assert (config.controller_ca, config.token_file) == (Path("ca.pem"), Path("token"))
    assert config.probes == Endpoint("10.0.0.5", 15_004)


def test_a_flag_wins_over_its_variable() -> None:
    environment = {
        "FAREBOX_CONTROLLER": "127.0.0.1:7000",
        "FAREBOX_JOURNAL": "journal",
        "FAREBOX_NAME": "from-environment",
        "FAREBOX_NAMESPACE": "acme",
        "FAREBOX_LABELS": "",
        "FAREBOX_ELSE": "ignored",
    }
    config = load_config(["--name", "from-flag"], environment)
    assert (config.name, config.namespace, config.labels) == ("from-flag", "acme", {})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [*NEEDED, "--controller", "127.0.0.1:1,127.0.0.1:1"],
            "--controller: '127.0.0.1:1,127.0.0.1:1' should name 1 to 16 controllers, each once.",
        ),
        (
            ["--journal", "j"],
            "--controller is missing: give the addresses of the controllers: ADDRESS,ADDRESS.",
        ),
        (NEEDED[:2], "--journal is missing: give the file of the money."),
        ([*NEEDED, "--quiet"], "--quiet is not a flag of the sidecar; see --help."),
        ([*NEEDED, "loose"], "loose is not a flag of the sidecar; see --help."),
        ([*NEEDED, "--name"], "--name needs a value."),
        ([*NEEDED, "--name="], "--name: it is empty."),
        (
            [*NEEDED, "--listen=0.0.0.0:80"],
            "--listen: '0.0.0.0:80' is not on loopback: write \"127.0.0.1:80\".",
        ),
        (
            [*NEEDED, "--labels=app"],
            "--labels: 'app' is not a label; write NAME=VALUE,NAME=VALUE.",
        ),
        (
            [*NEEDED, "--calls-max=many"],
            "--calls-max: 'many' is not a whole number from 1 to 4000.",
        ),
        (
            [*NEEDED, "--body-bytes-max=7"],
            "--body-bytes-max: '7' is not a whole number from 1024 to 1073741824.",
        ),
        (
            [*NEEDED, "--money-ms-max=400"],
            "--money-ms-max: '400' is not a whole number from 1000 to 3600000.",
        ),
        (
            [*NEEDED, "--log-level=loud"],
            "--log-level: 'loud' is not one of debug, info, warning, error.",
        ),
        ([*NEEDED, "--keep-prompts=yes"], "--keep-prompts: 'yes' is not true or false."),
        (
            [*NEEDED, "--keep-prompts=true"],
            "--keep-prompts needs --receipts: prompts are kept in that file only.",
        ),
        (
            [*NEEDED, "--keep-prompts=true", "--receipts=-"],
            (
                "--keep-prompts needs a file in --receipts: prompts are kept where only the owner "
                "reads."
            ),
        ),
        (
            ["--controller=controller.farebox.svc:7447", "--journal=j"],
            (
                "--controller: 'controller.farebox.svc:7447' is not on loopback: write "
                '"127.0.0.1:7447".'
            ),
        ),
        (
            [*NEEDED, "--controller-ca=ca.pem"],
            "--controller-ca and --token-file belong together: give both, or none.",
        ),
        (
            [*NEEDED, "--token-file=token"],
            "--controller-ca and --token-file belong together: give both, or none.",
        ),
        (
            [*NEEDED, "--token-file=t", "--controller-ca=c", "--controller=a b:7447"],
            "--controller: 'a b:7447' is not a host and its port: write \"HOST:PORT\".",
        ),
        (
            [*NEEDED, "--probes=pod:15004"],
            "--probes: 'pod:15004' is not an IP address and a port: write \"0.0.0.0:15004\".",
        ),
        (
            [*NEEDED, "--labels=" + ",".join(f"l{n}=x" for n in range(65))],
            "--labels: more than 64 labels.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(arguments, {})
    assert caught.value.mistakes == (sentence,)


@pytest.mark.parametrize(("said", "kept"), [("true", True), ("false", False), ("", False)])
def test_prompts_are_kept_only_when_that_is_switched_on(said: str, kept: bool) -> None:
    environment = {"FAREBOX_KEEP_PROMPTS": said, "FAREBOX_RECEIPTS": "receipts.jsonl"}
    assert load_config(NEEDED, environment).keep_prompts is kept


def test_every_mistake_is_told_and_a_variable_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(["--name="], {"FAREBOX_LISTEN": "everywhere"})
    assert len(caught.value.mistakes) == 4
    assert any(mistake.startswith("FAREBOX_LISTEN: ") for mistake in caught.value.mistakes)
    assert str(caught.value) == "\n".join(caught.value.mistakes)


def test_every_field_is_an_option_and_stands_in_the_help() -> None:
    assert set(OPTIONS) == set(Config.__dataclass_fields__)
    assert all(f"--{name.replace('_', '-')}" in usage() for name in OPTIONS)

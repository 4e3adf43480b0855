"""Annotations: what they change, whose wins, and a sentence for each that can't be read."""

from dataclasses import replace

import pytest

from controller.injection.keys import Key
from controller.injection.overrides import OverrideError, is_opted_out, overridden
from controller.injection.settings import LogLevel, Settings, Sizes
from tests.support.admission import SETTINGS


def of(pod: dict[str, str], namespace: dict[str, str] | None = None) -> Settings:
    return overridden(SETTINGS, dotted(pod), dotted(namespace or {}))


def dotted(annotations: dict[str, str]) -> dict[str, str]:
    return {f"farebox.dev/{name}": value for name, value in annotations.items()}


def test_without_annotations_nothing_changes() -> None:
    assert overridden(SETTINGS, {"team": "a", "other.dev/cpu": "x"}, {}) == SETTINGS


def test_a_pod_may_say_otherwise() -> None:
    settings = of(
        {"cpu": "100m", "memory": "128Mi", "cpu-limit": "1", "memory-limit": "512Mi"}
        | {"state-size": "1Gi", "log-level": "debug", "base-urls": "openai"}
    )

    assert settings.sizes == Sizes(cpu="100m", memory="128Mi", cpu_limit="1", memory_limit="512Mi")
    assert settings.state_size == "1Gi"
    assert settings.log_level is LogLevel.DEBUG
    assert settings.base_urls == ("openai",)
    assert settings.image == SETTINGS.image


def test_a_pod_wins_over_its_namespace_which_wins_over_the_settings() -> None:
    namespace = {"cpu": "50m", "memory": "80Mi", "base-urls": "openai"}

    settings = of({"memory": "90Mi", "base-urls": "none"}, namespace)

    assert (settings.sizes.cpu, settings.sizes.memory) == ("50m", "90Mi")
    assert settings.base_urls == ()
    assert of({}, namespace).base_urls == ("openai",)
    assert of({"base-urls": ""}, namespace).base_urls == ()


def test_keys_are_those_of_the_pod_or_else_of_its_namespace_or_else_of_the_settings() -> None:
    everywhere, team, own = (
        Key(name="OPENAI_API_KEY", secret=secret, entry="openai")
        for secret in ("everywhere", "team", "own")
    )
    settings = replace(SETTINGS, keys=(everywhere,))
    of_team = dotted({"keys": "OPENAI_API_KEY=team/openai"})
    of_pod = dotted({"keys": "OPENAI_API_KEY=own/openai"})

    assert overridden(settings, {}, {}).keys == (everywhere,)
    assert overridden(settings, {}, of_team).keys == (team,)
    assert overridden(settings, of_pod, of_team).keys == (own,)
    assert overridden(settings, dotted({"keys": "none"}), of_team).keys == ()


def test_a_limit_rises_with_what_is_requested() -> None:
    assert of({"memory": "1Gi"}).sizes == Sizes(memory="1Gi", memory_limit="1Gi")
    assert of({"cpu": "2"}).sizes == Sizes(cpu="2")


@pytest.mark.parametrize(
    ("annotations", "mistake"),
    [
        (
            {"cpu": "lots"},
            (
                'annotation farebox.dev/cpu is "lots": write a quantity from 1m to 64, '
                'for example "20m"'
            ),
        ),
        (
            {"memory-limit": "32Mi"},
            (
                'annotation farebox.dev/memory-limit is "32Mi", less than the 64Mi that is '
                "requested: raise it"
            ),
        ),
        (
            {"keys": "OPENAI_API_KEY=llm-keys"},
            (
                "annotation farebox.dev/keys is not fit in part 1 of 1: write VARIABLE=SECRET/KEY, "
                "for example OPENAI_API_KEY=llm-keys/openai, with commas between several and "
                '"?" behind one whose Secret may be absent, or none; VARIABLE is a variable in '
                "capitals that ends in KEY, TOKEN, SECRET, PASSWORD or CREDENTIAL and does not "
                "begin with FAREBOX_"
            ),
        ),
        (
            {"log-level": "loud"},
            'annotation farebox.dev/log-level is "loud": write info, debug, warning or error',
        ),
        (
            {"base-urls": "openai,gemini"},
            (
                'annotation farebox.dev/base-urls names the provider "gemini", which is not set '
                "up: write one of none, openai"
            ),
        ),
        (
            {"base-url": "openai"},
            "annotation farebox.dev/base-url is not known: did you mean farebox.dev/base-urls?",
        ),
    ],
)
def test_a_mistake_names_its_annotation(annotations: dict[str, str], mistake: str) -> None:
    with pytest.raises(OverrideError) as refused:
        of(annotations)
    assert refused.value.mistakes == (mistake,)


def test_a_mistake_of_the_namespace_says_so_and_unknown_ones_are_its_own_business() -> None:
    with pytest.raises(OverrideError) as refused:
        of({}, {"cpu": "lots", "team": "a"})
    (mistake,) = refused.value.mistakes
    assert mistake.startswith('annotation farebox.dev/cpu of the namespace is "lots"')


@pytest.mark.parametrize(
    ("label", "annotation", "out"),
    [
        (None, None, False),
        ("false", None, True),
        (None, "false", True),
        ("true", "false", True),
        ("true", None, False),
    ],
)
def test_opting_out(label: str | None, annotation: str | None, out: bool) -> None:
    labels = {} if label is None else {"farebox.dev/inject": label}
    annotations = {} if annotation is None else {"farebox.dev/inject": annotation}
    assert is_opted_out(labels, annotations) is out


def test_no_guess_is_made_about_opting_out() -> None:
    with pytest.raises(OverrideError) as refused:
        is_opted_out({"farebox.dev/inject": "no"}, {"farebox.dev/inject": "off"})
    assert refused.value.mistakes == (
        'label farebox.dev/inject is "no": write "true" or "false"',
        'annotation farebox.dev/inject is "off": write "true" or "false"',
    )


def test_a_pod_full_of_mistakes_takes_no_longer_than_one_with_a_few() -> None:
    many = {f"unknown-{at}": "" for at in range(10_000)}
    with pytest.raises(OverrideError) as refused:
        of({**many, "base-urls": "x" * 100_000 + ",y" * 10_000})
    assert len(refused.value.mistakes) == 4 + 3
    assert len(str(refused.value)) < 20_000

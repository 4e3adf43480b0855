"""Injection: what is put where, what is left alone, and that twice is the same as once."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.injection.container import CONTAINER, VOLUMES
from controller.injection.mutate import inject
from controller.injection.patch import is_same
from controller.injection.pods import annotations_of, entries
from controller.injection.record import read_record
from controller.injection.settings import Settings
from tests.support.admission import SETTINGS, Object, pod_of

OPENAI = replace(SETTINGS, base_urls=("openai",))
URL = {"name": "OPENAI_BASE_URL", "value": "http://127.0.0.1:15002/openai/v1"}
OWN_URL = {"name": "OPENAI_BASE_URL", "value": "https://own.example/v1"}


def injected(pod: Object, settings: Settings = SETTINGS) -> Object:
    return inject(pod, settings, read_record(annotations_of(pod)))


def names(pod: Object, kind: str) -> list[str]:
    return [str(one["name"]) for one in entries(pod["spec"], kind)]


def container(pod: Object, name: str) -> Object:
    spec = pod["spec"]
    both = [*entries(spec, "initContainers"), *entries(spec, "containers")]
    (found,) = [one for one in both if one["name"] == name]
    return found


def without_ours(pod: Object) -> Object:
    """The pod without whatever has a name of ours."""
    rest = copy.deepcopy(pod)
    rest["metadata"]["annotations"].pop("farebox.dev/injected")
    spec = rest["spec"]
    spec["initContainers"] = [
        one for one in entries(spec, "initContainers") if one["name"] != CONTAINER
    ]
    spec["volumes"] = [one for one in entries(spec, "volumes") if one["name"] not in VOLUMES]
    plain: Object = without_empties(rest)
    return plain


def without_empties(value: Any) -> Any:
    """As the API server stores it: what is empty is absent."""
    if isinstance(value, dict):
        plain = {key: without_empties(inner) for key, inner in value.items()}
        return {key: inner for key, inner in plain.items() if inner not in ({}, [], None)}
    return [without_empties(inner) for inner in value] if isinstance(value, list) else value


# What is put where.


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], ["farebox"]),
        (["migrate"], ["farebox", "migrate"]),
        (
            ["istio-init", "istio-proxy", "migrate"],
            ["istio-init", "istio-proxy", "farebox", "migrate"],
        ),
        (["migrate", "linkerd-proxy"], ["migrate", "linkerd-proxy", "farebox"]),
    ],
)
def test_the_sidecar_starts_first_but_after_the_network(
    before: list[str], after: list[str]
) -> None:
    pod = pod_of(initContainers=[{"name": name} for name in before])
    assert names(injected(pod), "initContainers") == after


def test_whatever_else_a_pod_has_stays() -> None:
    pod = pod_of(
        {"name": "app", "env": [OWN_URL], "command": ["run"]},
        volumes=[{"name": "data", "emptyDir": {}}],
        imagePullSecrets=[{"name": "own"}],
        automountServiceAccountToken=False,
    )
    pod["metadata"]["annotations"] = {"team": "a"}

    after = injected(pod, replace(OPENAI, pull_secrets=("ours",)))

    assert names(after, "volumes") == ["data", *VOLUMES]
    assert after["spec"]["imagePullSecrets"] == [{"name": "own"}, {"name": "ours"}]
    assert after["spec"]["automountServiceAccountToken"] is False
    assert after["metadata"]["annotations"]["team"] == "a"
    assert container(after, "app") == container(pod, "app")


def test_the_pod_that_is_given_is_not_changed() -> None:
    pod = pod_of(volumes=[])
    before = copy.deepcopy(pod)
    injected(pod, OPENAI)
    assert pod == before


def test_base_urls_go_to_every_container_that_starts_later_and_has_none() -> None:
    pod = pod_of(
        {"name": "app"},
        {"name": "own", "env": [OWN_URL]},
        {"name": "secret", "env": [{"name": "OPENAI_BASE_URL", "valueFrom": {"x": 1}}]},
        initContainers=[{"name": "istio-proxy"}, {"name": "migrate", "env": [{"name": "A"}]}],
    )

    after = injected(pod, OPENAI)

    assert container(after, "app")["env"] == [URL]
    assert container(after, "migrate")["env"] == [{"name": "A"}, URL]
    for name in ("own", "secret", "istio-proxy"):
        assert container(after, name) == container(pod, name)
    assert "OPENAI_BASE_URL" not in [one["name"] for one in container(after, CONTAINER)["env"]]


# Again.


def test_what_others_have_changed_in_our_container_stays() -> None:
    pod = injected(pod_of())
    container(pod, CONTAINER)["image"] = "mirror.example/farebox-sidecar:1"
    container(pod, CONTAINER)["terminationMessagePath"] = "/dev/termination-log"
    pod["spec"]["initContainers"].insert(0, {"name": "istio-proxy"})
    pod["spec"]["volumes"][-1]["configMap"]["defaultMode"] = 420

    assert injected(pod) == pod


@pytest.mark.parametrize(
    "change",
    [
        {"command": ["sleep", "infinity"]},
        {"restartPolicy": None},
        {"args": ["--controller", "elsewhere:1"]},
        {"envFrom": [{"secretRef": {"name": "own"}}]},
        {"env": []},
        {"volumeMounts": []},
    ],
)
def test_a_copied_record_does_not_make_another_container_ours(change: Object) -> None:
    pod = injected(pod_of())
    container(pod, CONTAINER).update(change)
    assert without_empties(injected(pod)) == without_empties(injected(pod_of()))


@pytest.mark.parametrize(
    ("variable", "stays"),
    [
        ({"name": "FAREBOX_CONTROLLER", "value": "elsewhere:1"}, False),
        ({"name": "FAREBOX_KEEP_PROMPTS", "value": "true"}, False),
        ({"name": "OTEL_SERVICE_NAME", "value": "shop"}, True),
    ],
)
def test_others_may_give_our_container_variables_that_do_not_steer_it(
    variable: Object, stays: bool
) -> None:
    pod = injected(pod_of())
    container(pod, CONTAINER)["env"].append(variable)
    assert (injected(pod) == pod) is stays


def test_a_record_without_its_container_is_made_good() -> None:
    pod = injected(pod_of())
    record = pod["metadata"]["annotations"]
    copied = pod_of() | {"metadata": {"annotations": record}}
    assert injected(copied)["spec"] == pod["spec"]


@pytest.mark.parametrize(
    ("after", "want"),
    [
        (["vault-agent-init", "farebox", "migrate"], ["farebox", "vault-agent-init", "migrate"]),
        (["farebox", "linkerd-proxy", "migrate"], ["linkerd-proxy", "farebox", "migrate"]),
        (
            ["istio-init", "vault-agent-init", "farebox"],
            ["istio-init", "farebox", "vault-agent-init"],
        ),
    ],
    ids=[
        "another injector put its own before ours",
        "a mesh put its own behind ours",
        "both",
    ],
)
def test_asked_again_it_takes_its_place_again(after: list[str], want: list[str]) -> None:
    pod = injected(pod_of())
    ours = container(pod, CONTAINER) | {"image": "mirror.example/farebox-sidecar:1"}
    pod["spec"]["initContainers"] = [
        ours if name == CONTAINER else {"name": name} for name in after
    ]
    again = injected(pod)
    assert names(again, "initContainers") == want
    assert container(again, CONTAINER) == ours
    assert injected(again) == again


def test_with_other_settings_ours_is_made_anew_and_nothing_else() -> None:
    pod = injected(pod_of({"name": "app"}, imagePullSecrets=[{"name": "own"}]), OPENAI)
    container(pod, CONTAINER)["image"] = "mirror.example/farebox-sidecar:1"
    container(pod, "app")["env"].insert(0, {"name": "A", "value": "1"})

    after = injected(pod, replace(SETTINGS, image="new:2", pull_secrets=("ours", "own")))

    assert container(after, CONTAINER)["image"] == "new:2"
    assert container(after, "app")["env"] == [{"name": "A", "value": "1"}]
    assert after["spec"]["imagePullSecrets"] == [{"name": "own"}, {"name": "ours"}]


def test_a_variable_of_ours_that_somebody_has_changed_is_theirs() -> None:
    pod = injected(pod_of(), OPENAI)
    container(pod, "app")["env"] = [OWN_URL]

    assert container(injected(pod, OPENAI), "app")["env"] == [OWN_URL]
    assert container(injected(pod, SETTINGS), "app")["env"] == [OWN_URL]


def test_a_volume_under_our_name_becomes_ours() -> None:
    pod = injected(pod_of())
    pod["spec"]["volumes"][0] = {"name": "farebox-state", "hostPath": {"path": "/shared"}}

    assert injected(pod)["spec"]["volumes"][0] == injected(pod_of())["spec"]["volumes"][0]


def test_a_container_that_came_later_is_told_too() -> None:
    pod = injected(pod_of(), OPENAI)
    pod["spec"]["containers"].append({"name": "late"})

    after = injected(pod, OPENAI)

    assert container(after, "late")["env"] == [URL]
    assert injected(after, OPENAI) == after


# Whatever the pod.


def named(one: Object) -> str:
    return str(one["name"])


NAMES = st.sampled_from(["a", "b", "istio-proxy", "c"])
VARIABLES = st.fixed_dictionaries(
    {"name": st.sampled_from(["A", "OPENAI_BASE_URL", "OWN_URL"])},
    optional={"value": st.sampled_from(["", "x", "http://127.0.0.1:1/x", URL["value"]])},
)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={"env": st.lists(VARIABLES, max_size=3, unique_by=named)},
    ),
    min_size=1,
    max_size=3,
    unique_by=named,
)
PODS = st.builds(
    lambda containers, inits, metadata, spec: {
        "metadata": metadata,
        "spec": {
            "containers": [{**one, "name": f"{one['name']}-1"} for one in containers],
            **({"initContainers": inits} if inits else {}),
            **spec,
        },
    },
    CONTAINERS,
    st.just([]) | CONTAINERS,
    st.fixed_dictionaries(
        {}, optional={"annotations": st.just({"a": "1"}) | st.none(), "name": st.just("p")}
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "volumes": st.lists(
                st.sampled_from(["x", "y"]).map(lambda name: {"name": name, "emptyDir": {}}),
                unique_by=named,
            ),
            "imagePullSecrets": st.lists(
                st.sampled_from(["one", "two"]).map(lambda name: {"name": name}),
                unique_by=named,
            ),
            "terminationGracePeriodSeconds": st.integers(0, 40),
        },
    ),
)
PROVIDERS = {
    "openai": {"OPENAI_BASE_URL": "/openai/v1"},
    "own": {"OWN_URL": "/own/v1", "A": "/a"},
}
SETTINGS_OF = st.builds(
    lambda image, urls, secrets: replace(
        SETTINGS,
        image=image,
        providers=PROVIDERS,
        base_urls=tuple(urls),
        pull_secrets=tuple(secrets),
    ),
    st.sampled_from(["one", "two"]),
    st.lists(st.sampled_from(["openai", "own"]), unique=True),
    st.lists(st.sampled_from(["one", "two", "three"]), unique=True),
)


@given(pod=PODS, settings=SETTINGS_OF)
def test_injecting_twice_is_injecting_once(pod: Object, settings: Settings) -> None:
    once = injected(pod, settings)
    assert is_same(injected(once, settings), once)


@given(pod=PODS, old=SETTINGS_OF, new=SETTINGS_OF)
def test_the_last_settings_are_those_that_count(pod: Object, old: Settings, new: Settings) -> None:
    again = injected(injected(pod, old), new)
    assert is_same(without_empties(again), without_empties(injected(pod, new)))


@given(pod=PODS, settings=SETTINGS_OF)
def test_without_ours_the_pod_is_as_it_was(pod: Object, settings: Settings) -> None:
    settings = replace(settings, base_urls=(), pull_secrets=())
    assert is_same(without_ours(injected(pod, settings)), without_empties(pod))


@given(pod=PODS, settings=SETTINGS_OF)
def test_no_variable_and_no_pull_secret_of_a_pod_is_lost_or_changed(
    pod: Object, settings: Settings
) -> None:
    after = injected(pod, settings)
    for kind in ("initContainers", "containers"):
        for one in entries(pod["spec"], kind):
            own = entries(one, "env")
            assert entries(container(after, one["name"]), "env")[: len(own)] == own
    own = entries(pod["spec"], "imagePullSecrets")
    assert entries(after["spec"], "imagePullSecrets")[: len(own)] == own


@given(pod=PODS, settings=SETTINGS_OF)
def test_every_container_that_starts_later_has_every_variable(
    pod: Object, settings: Settings
) -> None:
    after = injected(pod, settings)
    wanted = {name for provider in settings.base_urls for name in PROVIDERS[provider]}
    for one in after["spec"]["containers"]:
        assert wanted <= {variable["name"] for variable in entries(one, "env")}

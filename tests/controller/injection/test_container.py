"""The sidecar's container: what it runs as, what it is told, and that it asks for nothing more."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.injection.container import VOLUMES, container_of, hash_of, volumes_of
from controller.injection.keys import Key
from controller.injection.settings import Sizes
from sidecar.config import load_config
from tests.support.admission import SETTINGS, Object, pod_of
from tests.support.pod_security import violations


def env_of(container: Object) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def test_it_passes_restricted_whatever_the_pod_says() -> None:
    careless = pod_of(container_of(SETTINGS, grace_s=None), volumes=volumes_of(SETTINGS))
    careless["spec"]["securityContext"] = {"runAsUser": 0, "runAsNonRoot": False}

    assert violations(careless) == []


def test_the_user_may_be_the_images() -> None:
    security = container_of(replace(SETTINGS, user=None), grace_s=None)["securityContext"]

    assert "runAsUser" not in security
    assert security["runAsNonRoot"] is True


def test_the_sidecar_takes_what_it_is_told() -> None:
    container = container_of(SETTINGS, grace_s=None)
    told = {one["name"]: one.get("value", "text") for one in container["env"]}
    told["FAREBOX_PROBES"] = told["FAREBOX_PROBES"].replace("$(FAREBOX_POD_IP)", "10.1.2.3")

    config = load_config([], told)

    assert config.journal == Path("/var/lib/farebox/journal")
    assert config.grace_ms_max == 25_000
    assert str(config.listen) == "127.0.0.1:15002"


def test_what_a_variable_refers_to_stands_before_it() -> None:
    names = [one["name"] for one in container_of(SETTINGS, grace_s=None)["env"]]
    assert names.index("FAREBOX_POD_IP") < names.index("FAREBOX_PROBES")


def test_it_is_kept_running_and_probed_but_never_killed_for_its_health() -> None:
    container = container_of(SETTINGS, grace_s=None)

    assert container["restartPolicy"] == "Always"
    assert container["startupProbe"]["httpGet"] == {"path": "/startz", "port": 15_004}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 15_004}
    assert "livenessProbe" not in container


def test_it_has_no_token_of_the_api_server() -> None:
    mounts = container_of(SETTINGS, grace_s=None)["volumeMounts"]
    by_path = {mount["mountPath"]: mount["name"] for mount in mounts}

    assert by_path["/var/run/secrets/kubernetes.io/serviceaccount"] == "farebox-token"
    assert {mount["name"] for mount in mounts} == set(VOLUMES)


def test_its_volumes() -> None:
    state, token, trust = volumes_of(replace(SETTINGS, token_seconds=600, state_size="1Gi"))

    assert state == {"name": "farebox-state", "emptyDir": {"sizeLimit": "1Gi"}}
    (source,) = token["projected"]["sources"]
    assert source["serviceAccountToken"] == {
        "path": "token",
        "audience": "farebox.dev",
        "expirationSeconds": 600,
    }
    assert trust == {"name": "farebox-trust", "configMap": {"name": "farebox-ca"}}


@pytest.mark.parametrize(
    ("grace_s", "told"),
    [(None, "25000"), (30, "25000"), (600, "25000"), (10, "5000"), (5, "1000"), (0, "1000")],
)
def test_it_ends_within_the_time_that_the_pod_has(grace_s: int | None, told: str) -> None:
    assert env_of(container_of(SETTINGS, grace_s=grace_s))["FAREBOX_GRACE_MS_MAX"] == told


@pytest.mark.parametrize(
    ("sizes", "resources"),
    [
        (
            Sizes(),
            {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        ),
        (Sizes(memory_limit=None), {"requests": {"cpu": "20m", "memory": "64Mi"}}),
        (
            Sizes(cpu="1", memory="1Gi", cpu_limit="1", memory_limit="1Gi"),
            {
                "requests": {"cpu": "1", "memory": "1Gi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
        ),
    ],
)
def test_resources(sizes: Sizes, resources: Object) -> None:
    assert container_of(replace(SETTINGS, sizes=sizes), grace_s=None)["resources"] == resources


def test_settings_reach_the_sidecar() -> None:
    plain = env_of(container_of(SETTINGS, grace_s=None))
    other = replace(SETTINGS, receipts=False, env={"FAREBOX_CALLS_MAX": "20"})

    env = env_of(container_of(other, grace_s=None))

    assert plain["FAREBOX_RECEIPTS"] == "-"
    assert "FAREBOX_RECEIPTS" not in env
    assert env["FAREBOX_CALLS_MAX"] == "20"


def test_keys_come_from_secrets_and_are_part_of_what_is_hashed() -> None:
    keys = (
        Key(name="OPENAI_API_KEY", secret="llm-keys", entry="openai"),
        Key(name="HF_TOKEN", secret="other", entry="token", optional=True),
    )
    other = replace(SETTINGS, env={"OPENAI_API_KEY": "in the clear"}, keys=keys)

    container = container_of(other, grace_s=None)

    assert container["env"][-2:] == [
        {
            "name": "OPENAI_API_KEY",
            "valueFrom": {"secretKeyRef": {"name": "llm-keys", "key": "openai"}},
        },
        {
            "name": "HF_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "other", "key": "token", "optional": True}},
        },
    ]
    assert "OPENAI_API_KEY" not in env_of(container)
    assert hash_of(container) != hash_of(container_of(SETTINGS, grace_s=None))


def test_a_hash_is_the_same_for_the_same_and_another_for_another() -> None:
    assert hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": 2})

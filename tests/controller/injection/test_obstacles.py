"""Pods that are left alone, and pods that are refused with a sentence."""

from dataclasses import replace
from typing import Any

import pytest

from controller.injection.obstacles import exemption, obstacles, warnings
from tests.support.admission import SETTINGS, Object, annotated, pod_of

OPT_OUT = 'or let it run without a sidecar with the annotation farebox.dev/inject: "false"'


@pytest.mark.parametrize(
    ("pod", "namespace", "why"),
    [
        (pod_of(), "shop", ""),
        (pod_of(), "kube-system", "namespace kube-system is never touched"),
        (annotated(pod_of(), inject="false"), "shop", "it has opted out"),
        (
            pod_of() | {"metadata": {"annotations": {"kubernetes.io/config.mirror": "abc"}}},
            "shop",
            "it is a mirror of a static pod",
        ),
        (pod_of() | {"metadata": {}}, "shop", ""),
    ],
)
def test_who_is_left_alone(pod: Object, namespace: str, why: str) -> None:
    assert exemption(pod, namespace, SETTINGS) == why


def app(**fields: Any) -> Object:
    return {"name": "app", **fields}


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (
            pod_of(hostNetwork=True),
            (
                "the pod is on its node's network, where every program of the node could use the "
                f"sidecar: leave hostNetwork out, {OPT_OUT}"
            ),
        ),
        (
            pod_of(os={"name": "windows"}),
            f"there is no sidecar for Windows: run it on Linux, {OPT_OUT}",
        ),
        (
            pod_of(nodeSelector={"kubernetes.io/os": "windows"}),
            f"there is no sidecar for Windows: run it on Linux, {OPT_OUT}",
        ),
        (
            pod_of({"name": "farebox"}),
            "a container is called farebox, the name of the sidecar: call it otherwise",
        ),
        (
            pod_of(initContainers=[{"name": "farebox"}]),
            "a container is called farebox, the name of the sidecar: call it otherwise",
        ),
        (
            pod_of(volumes=[{"name": "farebox-state", "emptyDir": {}}]),
            "volume farebox-state has the name of a volume of the sidecar: call it otherwise",
        ),
        (
            pod_of(app(volumeMounts=[{"name": "farebox-token", "mountPath": "/x"}])),
            "container app mounts farebox-token, which is the sidecar's alone: take the mount out",
        ),
        (
            pod_of(initContainers=[app(volumeMounts=[{"name": "farebox-state"}])]),
            "container app mounts farebox-state, which is the sidecar's alone: take the mount out",
        ),
        (
            pod_of(app(securityContext={"runAsUser": 15_002})),
            "container app runs as user 15002, which is the sidecar's alone: choose another",
        ),
        (
            pod_of(app(), securityContext={"runAsUser": 15_002}),
            "container app runs as user 15002, which is the sidecar's alone: choose another",
        ),
        (
            pod_of(app(ports=[{"containerPort": 8080}, {"containerPort": 15_003}])),
            "container app listens on port 15003, which is the sidecar's: choose another",
        ),
    ],
)
def test_who_is_refused(pod: Object, why: str) -> None:
    assert obstacles(pod, SETTINGS, injected=False) == [why]


def test_what_is_no_obstacle() -> None:
    pod = pod_of(
        app(securityContext={"runAsUser": 1000}, ports=[{"containerPort": 8080}]),
        os={"name": "linux"},
        securityContext={"runAsUser": 15_002},
        shareProcessNamespace=True,
    )

    assert obstacles(pod, SETTINGS, injected=False) == []
    assert warnings(pod) == [
        "containers share processes: one that runs as root can read the sidecar's files"
    ]
    assert warnings(pod_of()) == []


def test_a_user_that_only_the_image_knows_is_not_compared() -> None:
    pod = pod_of(app(), securityContext={"runAsUser": 15_002})
    assert obstacles(pod, replace(SETTINGS, user=None), injected=False) == []


def test_our_own_names_are_no_obstacle_in_a_pod_that_was_injected() -> None:
    pod = pod_of(
        initContainers=[{"name": "farebox", "volumeMounts": [{"name": "farebox-state"}]}],
        volumes=[{"name": "farebox-state"}],
    )
    assert obstacles(pod, SETTINGS, injected=True) == []
    assert len(obstacles(pod, SETTINGS, injected=False)) == 2
    fake = pod_of({"name": "farebox"})
    assert len(obstacles(fake, SETTINGS, injected=True)) == 1

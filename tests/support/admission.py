"""Pods and AdmissionReviews as the API server makes them, and patches carried out.

The one rule: patches are applied here as RFC 6902 says it, step by step, by code that knows nothing
of how they are made.
"""

import base64
import copy
import json
from typing import Any

from controller.injection.review import Namespace
from controller.injection.settings import Settings

Object = dict[str, Any]

SETTINGS = Settings(
    image="registry.example/farebox-sidecar:1",
    controllers=("farebox-controller-0.farebox-controller.farebox.svc:7447",),
    audience="farebox.dev",
)
LABELLED = Namespace(labels={"farebox.dev/inject": "enabled"})


def pod_of(*containers: Object, **spec: Any) -> Object:
    """A pod with these containers (one called app when none is given)."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop-1", "namespace": "shop"},
        "spec": {"containers": list(containers) or [{"name": "app", "image": "app:1"}], **spec},
    }


def annotated(pod: Object, **annotations: str) -> Object:
    """The pod with annotations of this project; an underscore stands for a dash."""
    named = {f"farebox.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    before = pod["metadata"].get("annotations", {})
    return {**pod, "metadata": {**pod["metadata"], "annotations": {**before, **named}}}


def review_of(pod: Object, *, namespace: str = "shop", **more: Any) -> Object:
    """The review of a pod that is to be made."""
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "name": pod["metadata"].get("name", ""),
        "namespace": namespace,
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": pod,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        **more,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def patch_in(review: Object) -> list[Object]:
    """The patch of an answer; [] when it has none."""
    encoded = review["response"].get("patch", "")
    found: list[Object] = json.loads(base64.b64decode(encoded) or b"[]")
    return found


def patched(value: Any, patch: list[Any]) -> Any:
    """A copy of a JSON value with all steps of a patch carried out."""
    root = {"": copy.deepcopy(value)}
    for step in patch:
        parts = [""] + [one.replace("~1", "/").replace("~0", "~") for one in _parts(step["path"])]
        parent: Any = root
        for part in parts[:-1]:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        _carry_out(step, parent, parts[-1])
    return root[""]


def _parts(path: str) -> list[str]:
    assert path == "" or path.startswith("/")
    return path.split("/")[1:]


def _carry_out(step: Any, parent: Any, last: str) -> None:
    key: Any = int(last) if isinstance(parent, list) else last
    match step["op"]:
        case "add" if isinstance(parent, list):
            assert 0 <= key <= len(parent)
            parent.insert(key, copy.deepcopy(step["value"]))
        case "add":
            parent[key] = copy.deepcopy(step["value"])
        case "replace":
            assert isinstance(parent, list) or key in parent
            parent[key] = copy.deepcopy(step["value"])
        case "remove":
            del parent[key]
        case other:
            raise AssertionError(f"{other} is not used")

"""An AdmissionReview of the API server, and the answer to it.

The one rule: the same review has the same answer, whatever happened before; nothing is remembered
and nothing else is changed, so a dry run needs no care. This module must not know HTTP.
"""

import base64
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from controller.injection.mutate import inject, takers_of_base_urls
from controller.injection.obstacles import exemption, obstacles, warnings
from controller.injection.overrides import OverrideError, overridden
from controller.injection.patch import Operation, difference
from controller.injection.pods import Object, annotations_of, entries
from controller.injection.record import read_record
from controller.injection.settings import Settings

MESSAGE_CHARACTERS_MAX: Final = 2_000
WARNING_CHARACTERS_MAX: Final = 256
"""The API server cuts longer ones."""

WARNINGS_MAX: Final = 8
LABEL: Final = "farebox.dev/inject"
LABEL_VALUE: Final = "enabled"


class BadReviewError(Exception):
    """What was sent is no AdmissionReview of a pod."""


class Outcome(enum.StrEnum):
    """How a review ended."""

    INJECTED = "injected"
    KEPT = "kept"
    SKIPPED = "skipped"
    REFUSED = "refused"


class _Kind(msgspec.Struct, frozen=True):
    group: str
    version: str
    kind: str


class Request(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked: may this be done, and changed how?"""

    uid: str
    kind: _Kind
    operation: str
    namespace: str = ""
    sub_resource: str = ""
    object: dict[str, Any] | None = None
    dry_run: bool = False

    @property
    def is_new_pod(self) -> bool:
        """Whether a pod is to be made; anything else is none of our business."""
        kind = (self.kind.group, self.kind.version, self.kind.kind)
        return kind == ("", "v1", "Pod") and self.operation == "CREATE" and not self.sub_resource


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    api_version: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """What is known of a namespace."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_labelled(self) -> bool:
        """Whether its pods are to be injected."""
        return self.labels.get(LABEL) == LABEL_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a review ended, why (a sentence, for all but INJECTED and KEPT), and the patch."""

    outcome: Outcome
    why: str = ""
    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()


def read_review(body: bytes) -> Request:
    """Read the body of a request. Raises BadReviewError."""
    try:
        request = msgspec.json.decode(body, type=_Review).request
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReviewError(
            f"this is no AdmissionReview of admission.k8s.io/v1: {error}"
        ) from None
    if request.is_new_pod:
        pod = request.object or {}
        if not isinstance(pod.get("spec"), dict) or not isinstance(pod.get("metadata"), dict):
            raise BadReviewError("the review's pod has no metadata or no spec")
    return request


def judge(request: Request, namespace: Namespace, settings: Settings) -> Answer:
    """Decide about a pod: inject it, leave it as it is, or refuse it."""
    pod = request.object
    if not request.is_new_pod or pod is None:
        return Answer(outcome=Outcome.SKIPPED, why="it is no new pod")
    try:
        why = exemption(pod, request.namespace, settings)
        if not why and not namespace.is_labelled:
            why = f"namespace {request.namespace} is not labelled {LABEL}: {LABEL_VALUE}"
        if why:
            return Answer(outcome=Outcome.SKIPPED, why=why)
        return _injected(pod, overridden(settings, annotations_of(pod), namespace.annotations))
    except OverrideError as error:
        return _refused(list(error.mistakes))


def response(request: Request, answer: Answer) -> Object:
    """The AdmissionReview that is sent back."""
    said: Object = {"uid": request.uid, "allowed": answer.outcome is not Outcome.REFUSED}
    if answer.outcome is Outcome.REFUSED:
        said["status"] = {"code": 422, "reason": "Invalid", "message": answer.why}
    if answer.patch:
        encoded = base64.b64encode(msgspec.json.encode(answer.patch))
        said |= {"patchType": "JSONPatch", "patch": encoded.decode()}
    if answer.warnings:
        said["warnings"] = list(answer.warnings)
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": said}


def _injected(pod: Object, settings: Settings) -> Answer:
    record = read_record(annotations_of(pod))
    if found := obstacles(pod, settings, injected=record is not None):
        return _refused(found)
    patch = difference(pod, inject(pod, settings, record))
    said = [*warnings(pod), *_overruled(pod, settings)]
    return Answer(
        outcome=Outcome.INJECTED if patch else Outcome.KEPT,
        patch=tuple(patch),
        warnings=tuple(f"farebox: {one}"[:WARNING_CHARACTERS_MAX] for one in said[:WARNINGS_MAX]),
    )


def _overruled(pod: Object, settings: Settings) -> list[str]:
    """Variables from a ConfigMap or Secret are not seen here, and lose against those set by us."""
    if not settings.base_urls:
        return []
    return [
        f"container {container.get('name')} takes variables by envFrom: base URLs among them lose"
        for container in takers_of_base_urls(pod["spec"], settings)
        if entries(container, "envFrom")
    ]


def _refused(mistakes: list[str]) -> Answer:
    message = "farebox: " + "; ".join(mistakes) + "."
    return Answer(outcome=Outcome.REFUSED, why=message[:MESSAGE_CHARACTERS_MAX])

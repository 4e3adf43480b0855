"""AdmissionReviews: recorded ones with their answers, and what is no review at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from controller.injection.review import (
    Answer,
    BadReviewError,
    Namespace,
    Outcome,
    judge,
    read_review,
    response,
)
from tests.support.admission import (
    LABELLED,
    SETTINGS,
    Object,
    annotated,
    patch_in,
    patched,
    pod_of,
    review_of,
)
from tests.support.admission_goldens import answer_to, goldens
from tests.support.pod_security import violations


def judged(review: Object, namespace: Namespace = LABELLED) -> Answer:
    return judge(read_review(json.dumps(review).encode()), namespace, SETTINGS)


@pytest.mark.parametrize("path", goldens(), ids=lambda path: path.stem)
def test_recorded_reviews_have_their_answers(path: Path) -> None:
    golden = json.loads(path.read_text())
    assert answer_to(golden) == golden["answer"]


@pytest.mark.parametrize("path", goldens(), ids=lambda path: path.stem)
def test_a_patched_pod_that_is_asked_about_again_stays_as_it_is(path: Path) -> None:
    golden = json.loads(path.read_text())
    pod = golden["review"]["request"]["object"]
    patch = golden["answer"]["response"].get("patch", [])
    golden["review"]["request"]["object"] = patched(pod, patch)

    again = answer_to(golden)["response"]

    assert "patch" not in again
    assert again["allowed"] is golden["answer"]["response"]["allowed"]


def test_a_restricted_pod_stays_restricted() -> None:
    (path,) = [one for one in goldens() if one.stem == "no-token-and-restricted"]
    golden = json.loads(path.read_text())
    pod = golden["review"]["request"]["object"]
    assert violations(pod) == []
    assert violations(patched(pod, golden["answer"]["response"]["patch"])) == []


@pytest.mark.parametrize(
    "more",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE", "object": None},
        {"operation": "CONNECT", "subResource": "exec"},
        {"subResource": "ephemeralcontainers"},
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
        {"kind": {"group": "", "version": "v1", "kind": "Service"}, "object": {"spec": None}},
    ],
)
def test_whatever_is_no_new_pod_passes(more: dict[str, Any]) -> None:
    review = review_of(pod_of(), **more)
    answer = judged(review)
    assert answer.outcome is Outcome.SKIPPED
    assert response(read_review(json.dumps(review).encode()), answer)["response"]["allowed"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{",
        b"[" * 200_000,
        b'{"kind":"\xff"}',
        b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}',
        json.dumps({**review_of(pod_of()), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        json.dumps(review_of(pod_of(), object=None)).encode(),
        json.dumps(review_of(pod_of(), object={"metadata": {}})).encode(),
        json.dumps(review_of(pod_of(), object={"metadata": {}, "spec": []})).encode(),
        json.dumps(review_of(pod_of(), uid=None)).encode(),
    ],
)
def test_what_is_no_review_is_told_so(body: bytes) -> None:
    with pytest.raises(BadReviewError, match=r"[Rr]eview"):
        read_review(body)


def test_a_refusal_says_everything_at_once_and_has_an_end() -> None:
    answer = judged(review_of(annotated(pod_of(hostNetwork=True), cpu="lots")))
    many = judged(review_of(pod_of(*({"name": "farebox", "ports": []} for _ in range(3)))))
    long = judged(
        review_of(
            pod_of(
                *(
                    {"name": f"app-{at}", "securityContext": {"runAsUser": 15_002}}
                    for at in range(500)
                )
            )
        )
    )

    assert answer.outcome is Outcome.REFUSED
    assert answer.why.startswith('farebox: annotation farebox.dev/cpu is "lots"')
    assert many.why.count("called farebox") == 1
    assert len(long.why) == 2_000


def test_warnings_are_few_and_short() -> None:
    containers = [
        {"name": "a" * 63 + str(at), "envFrom": [{"secretRef": {"name": "x"}}]} for at in range(20)
    ]
    answer = judged(review_of(annotated(pod_of(*containers), base_urls="openai")))

    assert len(answer.warnings) == 8
    assert max(map(len, answer.warnings)) <= 256


def test_a_dry_run_is_answered_as_the_real_thing() -> None:
    real, dry = review_of(pod_of()), review_of(pod_of(), dryRun=True)
    assert judged(real) == judged(dry)
    request = read_review(json.dumps(dry).encode())
    assert patch_in(response(request, judged(dry)))
    assert request.dry_run

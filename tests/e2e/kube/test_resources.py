"""The four resources as a real API server takes, refuses, explains and shows them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from farebox.manifests.resources import Kind
from tests.deploy import pool_refusals, routing_refusals
from tests.deploy.crds import CRDS, FILES
from tests.deploy.refusals import By, Refused
from tests.deploy.resources import EXAMPLES, good, resource
from tests.support.kube_api import ApiError, KubeApi

REFUSED: Final = (*pool_refusals.REFUSED, *routing_refusals.REFUSED)
GOOD: Final = list(good())
FOLDERS: Final = sorted(path for path in EXAMPLES.iterdir() if any(path.glob("*.yaml")))
NAMESPACE: Final = EXAMPLES / "kubernetes/cluster/namespace.yaml"
STRICT: Final = "?fieldValidation=Strict&dryRun=All"

pytestmark = pytest.mark.asyncio(loop_scope="session")


def collection(found: Mapping[str, Any]) -> str:
    """Where resources of this kind and namespace are."""
    plural = CRDS[Kind(found["kind"])].spec["names"]["plural"]
    namespace = found["metadata"].get("namespace")
    place = f"namespaces/{namespace}/" if namespace else ""
    return f"/apis/{found['apiVersion']}/{place}{plural}"


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
async def test_a_definition_is_in_force_and_structural(api: KubeApi, file: Path) -> None:
    name = ".".join(reversed(file.stem.split("_")))
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    conditions = (await api.get(path))["status"]["conditions"]
    assert {one["type"]: one["status"] for one in conditions} == {
        "NamesAccepted": "True",
        "Established": "True",
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
async def test_every_example_is_taken(api: KubeApi, folder: Path) -> None:
    # A dry run finds no namespace that another dry run would have made.
    await api.kubectl("apply", "-f", str(NAMESPACE))
    done = await api.kubectl("apply", "--dry-run=server", "-R", "-f", str(folder))
    assert done.error == ""
    lines = [line for line in done.out.splitlines() if not line.startswith("namespace/")]
    assert lines
    assert all(line.endswith("created (server dry run)") for line in lines)


@pytest.mark.parametrize(("kind", "found"), GOOD, ids=lambda one: str(one)[-60:])
async def test_every_shape_is_taken(api: KubeApi, kind: Kind, found: dict[str, Any]) -> None:
    taken = await api.post(collection(found) + STRICT, found)
    assert taken["metadata"]["uid"]


@pytest.mark.parametrize(
    "wrong", [one for one in REFUSED if one.by is not By.CHANGE], ids=lambda wrong: wrong.what
)
async def test_what_is_wrong_is_refused_by_its_field(api: KubeApi, wrong: Refused) -> None:
    found = resource(wrong.kind, wrong.spec)
    with pytest.raises(ApiError) as refusal:
        await api.post(collection(found) + STRICT, found)
    blames(refusal.value, wrong)


@pytest.mark.parametrize(
    "wrong", [one for one in REFUSED if one.by is By.CHANGE], ids=lambda wrong: wrong.what
)
async def test_what_must_stay_can_t_be_changed(api: KubeApi, wrong: Refused) -> None:
    before = resource(wrong.kind, wrong.was)
    path = f"{collection(before)}/one"
    await api.post(collection(before), before)
    try:
        with pytest.raises(ApiError) as refusal:
            await api.patch(path, {"spec": resource(wrong.kind, wrong.spec)["spec"]})
        blames(refusal.value, wrong)
    finally:
        await api.delete(path)


def blames(refusal: ApiError, wrong: Refused) -> None:
    """Whether a refusal names the field, and says the words of the rule where a rule refuses."""
    said = json.loads(str(refusal).partition(": ")[2])
    message = said["message"]
    if refusal.status == 400:
        assert f'unknown field "{wrong.field}"' in message
        return
    assert refusal.status == 422
    assert wrong.says in message
    named = wrong.field.rpartition(".")[2]
    # A rule about two fields blames one of them and names the other.
    assert (wrong.by is not By.STRUCTURE and named in message) or any(
        is_around(cause["field"], wrong.field) for cause in said["details"]["causes"]
    ), message


def is_around(path: str, field: str) -> bool:
    """Whether a fault stands at a field, or at the entry in which it is."""
    return path == field or field.startswith((f"{path}.", f"{path}["))


async def test_enough_is_refused() -> None:
    assert len(REFUSED) >= 40


async def test_kubectl_shows_the_refusal(api: KubeApi) -> None:
    wrong = resource(Kind.BUDGET_POOL, "{limit: '1', window: {type: Sliding, period: Day}}")
    done = await api.kubectl("apply", "-f", "-", told=json.dumps(wrong), check=False)
    assert done.status == 1
    assert 'BudgetPool "one" is invalid: spec.window.period: Invalid value' in done.error
    assert "period is a calendar word" in done.error


async def test_explain_reads_well(api: KubeApi) -> None:
    window = (await api.kubectl("explain", "bp.spec.window")).out
    assert "GROUP:      farebox.dev" in window
    assert "The interval over which the limit counts" in window
    for field in ("type", "period", "timeZone", "refillPerHour", "burst"):
        assert f"  {field}\t<string>" in window
    period = (await api.kubectl("explain", "bp.spec.window.period")).out
    assert "Day" in period
    assert "24h" in period


@pytest.mark.parametrize("kind", Kind)
async def test_every_field_is_explained(api: KubeApi, kind: Kind) -> None:
    name = CRDS[kind].spec["names"]["plural"]
    told = (await api.kubectl("explain", "--recursive", name)).out
    assert "<no description>" not in told
    described = (await api.kubectl("explain", f"{name}.spec")).out
    assert "DESCRIPTION:\n    <empty>" not in described


async def test_get_bp_is_the_page_one_looks_at_first(api: KubeApi) -> None:
    pool = resource(Kind.BUDGET_POOL, "{limit: '50.00', window: {period: Day}, per: User}", "team")
    path = f"{collection(pool)}/team"
    await api.post(collection(pool), pool)
    try:
        status = {
            "limit": "50.00",
            "spent": "12.25",
            "leased": "1.5",
            "headroom": "36.25",
            "window": {"name": "2026-11-23"},
            "conditions": [condition("Exhausted", "False")],
        }
        await api.patch(f"{path}/status", {"status": status})
        narrow = (await api.kubectl("get", "bp")).out.splitlines()
        assert narrow[0].split() == "NAME LIMIT WINDOW SPENT LEASED HEADROOM EXHAUSTED AGE".split()
        assert narrow[1].split()[:7] == "team 50.00 2026-11-23 12.25 1.5 36.25 False".split()
        wide = (await api.kubectl("get", "bp", "-o", "wide")).out.splitlines()
        assert wide[0].split()[-7:] == "HELD RESETS PER PARENT HOLDERS ENFORCED READY".split()
        assert "User" in wide[1]
        everything = (await api.kubectl("get", "farebox")).out
        assert "budgetpool.farebox.dev/team" in everything
    finally:
        await api.delete(path)


def condition(kind: str, status: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": "Test",
        "message": "as the test wrote it",
        "lastTransitionTime": "2026-11-23T00:00:00Z",
    }

"""What is said of one pod, whoever of its two informants can be asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from farebox.cli.admin import AdminError
from farebox.cli.explain import PodFacts, ask, run_explain, sentences, sheets
from tests.support.admin import serving, views
from tests.support.explained import LEASES, POLICY
from tests.support.runs import told


def facts(**changes: Any) -> PodFacts:
    usual = {"title": "default/web-0", "policy": POLICY, "leases": LEASES, "pools": []}
    return PodFacts(**{**usual, **changes})


def cells(found: PodFacts) -> dict[str, list[tuple[str, ...]]]:
    """The tables as rows of text."""
    return {
        str(table.title): list(
            zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)
        )
        for table in sheets(found)
    }


def test_a_pod_with_both_informants() -> None:
    assert list(sentences(facts())) == [
        "Pod default/web-0",
        "Its sidecar is connected to the controller; holder h-1.",
        "It follows policy 3 and classifies by Hybrid with the weights farebox-small.",
    ]
    found = cells(facts(pools=[told("acme", settled="0.2"), told("user", "ana", settled="0.1")]))
    drawn = found["Pools that every call draws on"]
    assert [row[:4] for row in drawn] == [
        ("default/acme", "-", "$1.2000", "$0.2000"),
        ("default/user", "user", "$0.2500", ""),
    ]
    assert found["Lent to this pod"] == [
        ("default/user [ana]", "$0.2000", "$0.0500", "$0.0100", "$0.1400")
    ]
    assert found["Models that may serve"] == [("small", "gpt-4o-mini")]


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ({"generation": None}, "It has no policy from the controller yet"),
        ({"pools": []}, "NO CAP: no BudgetPool selects this pod"),
        ({"weights": {"in_use": None, "problem": "No such file."}}, "Its weights: No such file."),
    ],
)
def test_what_is_wrong_with_a_pod_is_said(policy: dict[str, Any], sentence: str) -> None:
    told_of = list(sentences(facts(policy={**POLICY, **policy})))
    assert any(line.startswith(sentence) for line in told_of)


async def test_whoever_does_not_answer_is_named_and_the_rest_is_there() -> None:
    answers = {"/v1/policy": POLICY, "/v1/leases": {**LEASES, "connected": False}}
    async with serving(views(answers)) as port, serving(views({})) as other:
        found = await ask(
            "web-0",
            sidecar=f"http://127.0.0.1:{port}",
            controller=f"http://127.0.0.1:{other}",
            remarks=["First this."],
        )
    assert found.remarks[0] == "First this."
    assert "status 404" in found.remarks[1]
    assert any("cut off from it" in line for line in sentences(found))


async def test_the_pod_of_a_state_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"/v1/policy": POLICY, "/v1/leases": LEASES, "/v1/pools": {"pools": []}}
    async with serving(views(answers)) as port:
        for name in ("controller", "local", "provider"):
            (tmp_path / f"{name}.ready").write_text(json.dumps({"admin": port}))
        assert await run_explain(None, state=tmp_path, sidecar=None, controller=None) == 0
    assert "Pod local" in capsys.readouterr().out
    with pytest.raises(AdminError, match="there are local"):
        await run_explain("other", state=tmp_path, sidecar=None, controller=None)
    with pytest.raises(AdminError, match="farebox up"):
        await run_explain(None, state=tmp_path / "none", sidecar=None, controller=None)

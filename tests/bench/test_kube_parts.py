"""What is heard of the controller's requests and of the sidecars, without any of them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bench import kube_parts
from bench.kube_parts import USER, Audit, Sidecars
from bench.processes import BenchError


def asked(verb: str, resource: str, user: str = USER, **about: str) -> str:
    """A line of the API server's audit log."""
    event = {
        "user": {"username": user},
        "verb": verb,
        "objectRef": {"resource": resource, **about},
    }
    return json.dumps(event) + "\n"


def test_requests_of_the_controller_are_counted_once(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_text(asked("list", "pods"))
    audit = Audit(log)
    status = asked("patch", "budgetpools", subresource="status")
    half = asked("create", "events")
    with log.open("a") as file:
        file.write(2 * status + asked("list", "pods", user="system:admin") + half[:20])
    assert audit.requests() == {"patch budgetpools/status": 2}
    with log.open("a") as file:
        file.write(half[20:])
    assert audit.requests() == {"create events": 1}
    assert audit.requests() == {}


class Process:
    """A process of sidecars that has said this."""

    pid = 1

    def __init__(self, *said: dict[str, Any]) -> None:
        self.stdout = asyncio.StreamReader()
        self.stdout.feed_data("".join(json.dumps(one) + "\n" for one in said).encode())
        self.stdout.feed_eof()


def policy(sidecar: int, at: int, limit: int, price: str = "1") -> dict[str, Any]:
    """A policy with one pool."""
    return {"sidecar": sidecar, "at": at, "limits": {"a/team": limit}, "prices": [price]}


async def test_a_limit_is_in_force_when_the_first_sidecar_has_it() -> None:
    told = policy(0, 5, 10), policy(1, 7, 20), policy(0, 9, 20, price="2")
    sidecars = Sidecars(Process(*told, {"order": "rest", "spent": 3}))  # type: ignore[arg-type]  # as one
    with pytest.raises(BenchError, match="the sidecars have ended"):
        await sidecars.read()
    assert sidecars.connected == {0, 1}
    assert await sidecars.limit_at("a/team", 20) == 7
    assert sidecars.prices() == {'["1"]': 1, '["2"]': 1}
    assert sidecars.last_policy == 9


async def test_a_limit_that_never_comes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_parts, "ANSWER_S_MAX", 0.01)
    sidecars = Sidecars(Process())  # type: ignore[arg-type]  # as one
    with pytest.raises(BenchError, match="a/team has 20 n"):
        await sidecars.limit_at("a/team", 20)

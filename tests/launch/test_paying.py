"""Paying: held before, remembered after, never asked the same twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from farebox.core.money import Nanos
from farebox.core.tiers import Model
from farebox.launch import paying
from farebox.launch.paying import Payer, key_of
from farebox.launch.provider import LostError, Provider, RefusedError
from farebox.launch.results import Results
from farebox.launch.samples import request_body
from farebox.launch.till import CapReachedError, Till
from farebox.runtime.clock import SystemClock
from farebox.simulated.ledger import bill_nanos, read_entries
from tests.support.launching import make_sample, simulated_provider, tiers_at

WORST = Nanos(1_000_000)
CAP = Nanos(10_000_000)


@asynccontextmanager
async def paid(
    folder: Path, *, cap: Nanos = CAP, repeat_lost: bool = False, **config: Any
) -> AsyncIterator[tuple[Payer, Model, Till]]:
    """A payer, a model of a running provider, and the till."""
    async with simulated_provider(folder, **config) as provider, Provider(SystemClock()) as asker:
        with Results(folder / "results.jsonl") as results:
            till = Till(cap, spent=results.spent)
            model = tiers_at(provider.base_url)[0].models[0]
            yield Payer(asker, results, till, repeat_lost=repeat_lost), model, till


def body(model: Model, prompt: str = "yes?") -> bytes:
    return request_body(make_sample(prompt=prompt), model, output_asked=5)


def entries(folder: Path) -> int:
    return len(read_entries(folder / "ledger.jsonl"))


async def test_the_same_call_is_paid_once_within_a_run_and_in_the_next(tmp_path: Path) -> None:
    async with paid(tmp_path) as (payer, model, till):
        asked = [payer.ask(model, body(model), worst=WORST) for _ in range(5)]
        lines = await asyncio.gather(*asked)
        assert len({line.text for line in lines}) == 1
        assert payer.paid == 1
        assert till.spent == bill_nanos(read_entries(tmp_path / "ledger.jsonl"))
        assert till.held == 0
        spent = till.spent
    async with paid(tmp_path) as (payer, model, till):
        again = await payer.ask(model, body(model), worst=WORST)
        assert again.text == lines[0].text
        assert (payer.paid, till.spent) == (0, spent)
    assert entries(tmp_path) == 1


async def test_nothing_is_sent_that_does_not_fit_the_cap(tmp_path: Path) -> None:
    async with paid(tmp_path, cap=Nanos(WORST - 1)) as (payer, model, till):
        with pytest.raises(CapReachedError):
            await payer.ask(model, body(model), worst=WORST)
        assert (till.spent, till.held) == (0, 0)
    assert entries(tmp_path) == 0


async def test_money_that_is_only_held_is_waited_for(tmp_path: Path) -> None:
    async with paid(tmp_path, cap=Nanos(WORST + 100_000)) as (payer, model, till):
        asked = [payer.ask(model, body(model, f"{n}?"), worst=WORST) for n in range(3)]
        assert all(line.text for line in await asyncio.gather(*asked))
        assert till.spent == bill_nanos(read_entries(tmp_path / "ledger.jsonl")) <= till.cap


async def test_who_waits_for_money_is_sent_away_at_a_stop(tmp_path: Path) -> None:
    slow: dict[str, Any] = {"faults": {"mix": {"latency": 1}, "latencyMs": 200}}
    async with paid(tmp_path, cap=WORST, **slow) as (payer, model, _):
        asked = [payer.ask(model, body(model, f"{n}?"), worst=WORST) for n in range(2)]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        payer.stop()
        first, second = await waiting
    assert isinstance(second, CapReachedError)
    assert not isinstance(first, BaseException)


async def test_a_refusal_frees_the_money(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paying, "WAIT_S", 0.01)
    async with paid(tmp_path, faults={"mix": {"error500": 1}}) as (payer, model, till):
        with pytest.raises(RefusedError):
            await payer.ask(model, body(model), worst=WORST)
        assert (till.spent, till.held) == (0, 0)
    assert entries(tmp_path) == 0


async def test_a_lost_call_counts_in_full_and_is_not_made_again_unasked(tmp_path: Path) -> None:
    async with paid(tmp_path, faults={"mix": {"hangUp": 1}}) as (payer, model, till):
        for _ in range(2):
            with pytest.raises(LostError):
                await payer.ask(model, body(model), worst=WORST)
        assert (till.spent, till.held) == (WORST, 0)
    async with paid(tmp_path) as (payer, model, till):
        with pytest.raises(LostError, match="--repeat-lost"):
            await payer.ask(model, body(model), worst=WORST)
        assert till.spent == WORST
    assert entries(tmp_path) == 1
    async with paid(tmp_path, repeat_lost=True) as (payer, model, till):
        assert (await payer.ask(model, body(model), worst=WORST)).text
        assert till.spent > WORST
    assert entries(tmp_path) == 2


def until_told(asked: asyncio.Event, ask: Callable[..., Any]) -> Callable[..., Any]:
    """The real call, which first says that it is made."""

    async def told(*arguments: Any) -> Any:
        asked.set()
        return await ask(*arguments)

    return told


async def test_a_call_that_is_given_up_counts_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow: dict[str, Any] = {"faults": {"mix": {"latency": 1}, "latencyMs": 60_000}}
    asked = asyncio.Event()
    async with paid(tmp_path, **slow) as (payer, model, till):
        monkeypatch.setattr(Provider, "ask", until_told(asked, Provider.ask))
        async with asyncio.TaskGroup() as group:
            call = group.create_task(payer.ask(model, body(model), worst=WORST))
            await asked.wait()
            call.cancel()
        assert (till.spent, till.held) == (WORST, 0)
    with Results(tmp_path / "results.jsonl") as results:
        assert results.spent == WORST


def test_a_key_names_model_and_body() -> None:
    model, other = (tier.models[0] for tier in tiers_at("http://127.0.0.1:9/v1")[:2])
    keys = {key_of(model, b"a"), key_of(model, b"b"), key_of(other, b"a")}
    assert len(keys) == 3

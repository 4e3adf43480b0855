"""The proxy benchmark as a whole: options, targets, and one tiny real run with Envoy."""

import contextlib
from pathlib import Path

import pytest

from bench import processes, proxy, rounds, targets
from bench.processes import BenchError
from bench.rounds import Plan
from bench.targets import Endpoint, Name, Target
from bench.traffic import WORKLOADS

TINY = Plan(rounds=1, warm_seconds=0.0, seconds=0.3)


def test_options() -> None:
    assert proxy.read_options([]).plan == rounds.DEFAULT_PLAN
    asked = proxy.read_options(["--quick", "--rounds", "3", "--json", "figures.json"])
    assert asked.plan.seconds == rounds.QUICK_PLAN.seconds
    assert asked.plan.rounds == 3
    assert asked.json_path == Path("figures.json")


@pytest.mark.parametrize("count", ["0", "21", "many"])
def test_rounds_beyond_the_bounds_are_refused(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        proxy.read_options(["--rounds", count])
    assert "--rounds" in capsys.readouterr().err


def test_a_sidecar_is_a_target_like_any_other() -> None:
    endpoint = Endpoint(
        base_url_path_prefix="http://127.0.0.1:4000/openai", sidecar_pid=7, stop=lambda: None
    )
    want_url = "http://127.0.0.1:4000/openai/v1/chat/completions"
    assert targets.sidecar(endpoint) == Target(name=Name.SIDECAR, url=want_url, pids=(7,))


def test_a_run_measures_every_target_under_every_workload() -> None:
    with contextlib.ExitStack() as stack:
        compared = proxy.start_targets(stack)
        outcome = rounds.run(compared, TINY, lambda _: None)
    seen = {(sample.workload, sample.target) for sample in outcome.samples}
    assert seen == {(one.name, target.name) for one in WORKLOADS for target in compared}
    assert all(sample.calls > 0 for sample in outcome.samples)
    proxies = {target.name for target in compared if target.pids}
    assert {memory.target for memory in outcome.memory} == proxies
    assert all(memory.idle_kib > 0 for memory in outcome.memory)


def test_a_target_that_refuses_calls_stops_the_run() -> None:
    with processes.started_module("bench.upstream") as upstream:
        url = f"http://127.0.0.1:{upstream.read_line()}/elsewhere"
        astray = Target(name=Name.DIRECT, url=url, pids=())
        with pytest.raises(BenchError, match="direct, 1 KB calls, 1 connection: status 404"):
            rounds.run([astray], TINY, lambda _: None)

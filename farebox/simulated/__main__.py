"""`python -m farebox.simulated`: one simulated provider as a process.

The one rule: it says on which port it listens with one JSON line on standard output, and every
bad argument with one sentence on standard error (exit status 2). SIGTERM and SIGINT end it.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from farebox.simulated.config import Config, ConfigError, load_config
from farebox.simulated.ledger import LedgerError
from farebox.simulated.server import SimulatedProvider


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        config = load_config(options.config)
        _run(config, options)
    except (ConfigError, LedgerError) as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"The provider cannot start: {error}.")
    return 0


def _complain(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m farebox.simulated",
        description="A simulated LLM provider that bills exactly and keeps its own ledger.",
    )
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE.yaml")
    parser.add_argument("--ledger", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="also gets the line with the port"
    )
    parser.add_argument(
        "--workers", type=int, choices=[1], default=1, help="one ledger, one worker"
    )
    return parser


def _run(config: Config, options: argparse.Namespace) -> None:
    try:
        import uvloop
    except ImportError:
        # uvloop only makes it faster.
        asyncio.run(_serve(config, options))
    else:
        uvloop.run(_serve(config, options))


async def _serve(config: Config, options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with SimulatedProvider(config, options.ledger, port=options.port) as provider:
        _announce(provider.port, options.ready_file)
        await stopped.wait()


def _announce(port: int, ready_file: Path | None) -> None:
    line = json.dumps({"port": port}) + "\n"
    if ready_file is not None:
        # A reader must never see half a line.
        unfinished = ready_file.with_name(ready_file.name + ".tmp")
        unfinished.write_text(line, encoding="utf-8")
        unfinished.replace(ready_file)
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""The process: says its port, ends on SIGTERM with an exact ledger, complains in sentences."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest
import yaml
from openai import AsyncOpenAI

from farebox.simulated.__main__ import main
from farebox.simulated.ledger import read_entries
from tests.simulated.conftest import CONFIG


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "provider.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


async def start(config_path: Path, ledger_path: Path, *more: str) -> tuple[Process, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "farebox.simulated", "--config", str(config_path),
        "--ledger", str(ledger_path), *more, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = await process.stdout.readline()
    return process, json.loads(line)["port"]


async def test_a_process_serves_until_it_is_told_to_stop(
    config_path: Path, ledger_path: Path, tmp_path: Path
) -> None:
    ready = tmp_path / "ready.json"
    process, port = await start(config_path, ledger_path, "--ready-file", str(ready))
    assert json.loads(ready.read_text()) == {"port": port}
    base_url = f"http://127.0.0.1:{port}/v1"
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9_000}
    async with AsyncOpenAI(base_url=base_url, api_key="sk-abcd", max_retries=0) as client:
        await client.chat.completions.create(model="small", **asked)
        stream = await client.chat.completions.create(model="paced", stream=True, **asked)
        await anext(aiter(stream))
        process.send_signal(signal.SIGTERM)
        _, complaints = await process.communicate()
        await stream.close()
    assert (process.returncode, complaints) == (0, b"")
    whole, broken = read_entries(ledger_path)
    assert whole.output_tokens >= 200
    assert (broken.model, broken.stream) == ("paced", True)
    assert broken.output_tokens < 200


@pytest.mark.parametrize(
    ("text", "want_sentence"),
    [
        ("models: []", "models is empty; a provider needs at least one model.\n"),
        ("models: [", "is not YAML"),
    ],
)
def test_a_bad_configuration_is_explained(
    config_path: Path,
    ledger_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    want_sentence: str,
) -> None:
    config_path.write_text(text)
    assert main(["--config", str(config_path), "--ledger", str(ledger_path)]) == 2
    assert want_sentence in capsys.readouterr().err


def test_a_ledger_that_cannot_be_opened_is_explained(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(config_path), "--ledger", str(tmp_path / "no" / "file")]) == 2
    assert "cannot start" in capsys.readouterr().err

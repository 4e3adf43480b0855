"""The health check of images, asked of a real admin server."""

import asyncio
import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from farebox.runtime.endpoints import Endpoint
from farebox.runtime.health import why_unwell
from farebox.runtime.probes import AdminServer
from tests.support.admin import serving, views


async def test_a_process_that_answers_is_well_and_one_that_has_gone_is_not() -> None:
    server = AdminServer(registry=CollectorRegistry(), not_ready=lambda: "not yet", views={})
    port = await server.start(Endpoint("127.0.0.1", 0))
    address = f"127.0.0.1:{port}"
    try:
        assert await asyncio.to_thread(why_unwell, [address], {}) == ""
    finally:
        await server.stop()
    assert "does not answer" in await asyncio.to_thread(why_unwell, [address], {})


async def test_an_error_is_no_health() -> None:
    async with serving(views({})) as port:
        told = await asyncio.to_thread(why_unwell, [f"127.0.0.1:{port}"], {})
    assert told.endswith("answered with status 404.")


@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        ([], {}, "No admin server can be asked"),
        (["example.com:80"], {}, "No admin server can be asked"),
        (["127.0.0.1:2"], {"FAREBOX_ADMIN": "127.0.0.1:1"}, "127.0.0.1:1 does not answer"),
    ],
)
def test_what_can_not_be_asked_is_said(
    arguments: list[str], environment: dict[str, str], complaint: str
) -> None:
    assert complaint in why_unwell(arguments, environment)


def test_the_exit_status_is_for_the_engine() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "farebox.runtime.health", "127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={name: value for name, value in os.environ.items() if name != "FAREBOX_ADMIN"},
    )
    assert found.returncode == 1
    assert "does not answer" in found.stdout

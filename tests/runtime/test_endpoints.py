"""Addresses are loopback only, and readiness is told whole."""

import json
import os
from pathlib import Path

import pytest

from farebox.runtime.endpoints import (
    Endpoint,
    EndpointError,
    parse_address,
    parse_host,
    parse_loopback,
    write_ready_file,
)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("127.0.0.1:8080", Endpoint("127.0.0.1", 8080)),
        ("localhost:0", Endpoint("127.0.0.1", 0)),
        ("[::1]:443", Endpoint("::1", 443)),
    ],
)
def test_loopback_addresses_are_read(text: str, want: Endpoint) -> None:
    assert parse_loopback(text) == want


@pytest.mark.parametrize(
    ("text", "want_piece"),
    [
        ("0.0.0.0:80", 'write "127.0.0.1:80"'),
        ("example.org:80", "not on loopback"),
        ("127.0.0.1", "not an address"),
        ("127.0.0.1:http", "not an address"),
        ("127.0.0.1:70000", "not an address"),
        ("", "not an address"),
    ],
)
def test_other_addresses_are_refused_with_what_to_write(text: str, want_piece: str) -> None:
    with pytest.raises(EndpointError, match=want_piece):
        parse_loopback(text)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("0.0.0.0:80", Endpoint("0.0.0.0", 80)),
        ("[::]:443", Endpoint("::", 443)),
        ("localhost:0", Endpoint("127.0.0.1", 0)),
        ("example.org:80", None),
        (":80", None),
        ("0.0.0.0", None),
    ],
)
def test_any_address_may_be_listened_on_and_no_name(text: str, want: Endpoint | None) -> None:
    if want is None:
        with pytest.raises(EndpointError, match=r'write "0\.0\.0\.0:'):
            parse_address(text)
    else:
        assert parse_address(text) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("controller-0.controller.farebox.svc:7447", "controller-0.controller.farebox.svc:7447"),
        ("10.0.0.7:7447", "10.0.0.7:7447"),
        ("[fd00::7]:7447", "[fd00::7]:7447"),
        ("controller:0", None),
        ("controller", None),
        ("dns:///controller:7447", None),
        ("a b:7447", None),
        (f"{'a' * 254}:7447", None),
    ],
)
def test_another_process_is_reached_by_name_or_address(text: str, want: str | None) -> None:
    if want is None:
        with pytest.raises(EndpointError, match='write "HOST:PORT'):
            parse_host(text)
    else:
        assert str(parse_host(text)) == want


def test_the_ready_file_is_one_line_with_the_pid_and_leaves_no_draft(tmp_path: Path) -> None:
    write_ready_file(tmp_path / "ready", grpc=5001)

    facts = json.loads((tmp_path / "ready").read_text())
    assert facts == {"grpc": 5001, "pid": os.getpid()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["ready"]

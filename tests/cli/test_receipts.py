"""Receipts from files, logs and a sidecar, and what is shown of them."""

from pathlib import Path

import pytest
from aiohttp import web

from farebox.cli.admin import AdminError
from farebox.cli.receipts import (
    Found,
    Wanted,
    ask_sidecar,
    files_in,
    newest,
    read_files,
    receipts_in,
    rows,
    with_id,
)
from tests.support.admin import serving
from tests.support.receipt_lines import REFUSED, fields, line


def test_receipts_are_found_among_the_other_lines_of_a_log() -> None:
    log = [
        b'{"at":"2026-11-23T09:00:00Z","level":"info","message":"serving calls"}\n',
        line("a-1"),
        b"\n",
        b'{"call": "cut',
        b'["call"]\n',
        b'{"call": "of another program"}\n',
        line("a-2"),
    ]
    assert [one["call"] for one in receipts_in(log)] == ["a-1", "a-2"]


def test_the_newest_of_several_pods_are_in_order_of_time() -> None:
    found = [
        Found(pod="a", fields=fields("a-1", at=5)),
        Found(pod="a", fields=fields("a-2", at=30)),
        Found(pod="b", fields=fields("b-1", at=20, **REFUSED)),
    ]
    assert [one.fields["call"] for one in newest(found, Wanted(last=2))] == ["b-1", "a-2"]
    assert [one.fields["call"] for one in newest(found, Wanted(refused=True))] == ["b-1"]
    assert with_id(found, "a-1") is found[0]
    assert with_id(found, "a-9") is None


def test_a_row_says_who_served_or_why_nobody_did() -> None:
    found = [Found(pod="p", fields=one) for one in (fields("a-1"), fields("a-2", **REFUSED))]
    served, refused = rows(found)
    assert served[1:6] == ("a-1", "p", "classification", "farebox/auto", "gpt-4o-mini (small)")
    assert served[6:] == (200, "$0.000027", 40)
    assert refused[5:7] == ("pool_exhausted", 402)


def test_a_state_folder_has_the_receipts_of_its_pods_also_those_put_aside(tmp_path: Path) -> None:
    (tmp_path / "pod.receipts.jsonl").write_bytes(line("new"))
    (tmp_path / "pod.receipts.jsonl.1").write_bytes(line("old"))
    found = list(read_files(files_in(tmp_path)))
    assert [(one.pod, one.fields["call"]) for one in found] == [("pod", "old"), ("pod", "new")]
    with pytest.raises(AdminError, match="--receipts"):
        files_in(tmp_path / "elsewhere")


async def test_a_sidecar_is_asked_for_what_it_keeps() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.path_qs == "/v1/receipts?last=1000"
        return web.json_response({"receipts": [fields("a-2"), fields("a-1")]})

    async with serving(answer) as port:
        found = await ask_sidecar(f"http://127.0.0.1:{port}/", "here")
    assert [one.fields["call"] for one in found] == ["a-1", "a-2"]

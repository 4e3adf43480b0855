"""Asking admin servers over real sockets."""

from pathlib import Path

import pytest
from aiohttp import web

from farebox.cli import admin
from farebox.cli.admin import AdminError, admin_url, get_json, until_ready
from farebox.cli.processes import Child, ChildError
from tests.support.admin import serving
from tests.support.runs import child_program


async def test_a_json_answer_is_decoded() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"pools": []})

    async with serving(answer) as port:
        assert await get_json(f"http://127.0.0.1:{port}/v1/pools") == {"pools": []}


@pytest.mark.parametrize(
    ("status", "text", "complaint"),
    [(404, "{}", "answered with status 404"), (200, "<html>", "can't be asked")],
)
async def test_another_answer_is_one_sentence(status: int, text: str, complaint: str) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=text)

    async with serving(answer) as port:
        with pytest.raises(AdminError, match=complaint):
            await get_json(f"http://127.0.0.1:{port}/v1/pools")


async def test_nobody_there_is_one_sentence() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response()

    async with serving(answer) as port:
        pass
    with pytest.raises(AdminError, match="can't be asked"):
        await get_json(f"http://127.0.0.1:{port}/v1/pools")


async def test_a_child_is_ready_when_it_says_so(tmp_path: Path) -> None:
    answers = iter([503, 503, 200])

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=next(answers))

    child = Child(child_program("one"), tmp_path)
    async with serving(answer) as port:
        child.facts = {"admin": port}
        assert admin_url(child, "/x") == f"http://127.0.0.1:{port}/x"
        await until_ready(child)
    assert next(answers, None) is None


async def test_a_child_that_never_gets_ready_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=503)

    monkeypatch.setattr(admin, "START_S_MAX", 0.2)
    child = Child(child_program("one"), tmp_path)
    async with serving(answer) as port:
        child.facts = {"admin": port}
        with pytest.raises(ChildError, match="one did not become ready"):
            await until_ready(child)

"""A fake API server on loopback: lists in pages, watches, patches, tokens, and failures on demand.

    async with serving_kube() as fake:
        fake.put("budgetpools", "team", {"spec": {...}}, namespace="shop")
        options = fake.options(tmp_path)           # for open_client and the controller
        fake.store.compact(); fake.reset_watches()  # the next watch is told 410
        fake.fail("/api/v1/pods", status=503, times=3, retry_after_s=1)
        await fake.stop(); await fake.start()       # the same port again

The one rule: it answers as a real API server does wherever Farebox looks; schemas, rights and
admission are left to the real one of the e2e suite.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

from controller.kube.options import KubeOptions
from tests.support.kube_store import (
    COLLECTIONS,
    At,
    Collection,
    KubeStore,
    Object,
    Refused,
    selects,
)

BOOKMARK_S: Final = 0.2
REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"


@dataclass(frozen=True, kw_only=True)
class Token:
    """Whom a token stands for, as TokenReview tells it."""

    namespace: str
    service_account: str = "default"
    pod_name: str = ""
    pod_uid: str = ""
    audiences: tuple[str, ...] = ("farebox.dev",)


@dataclass
class _Failure:
    path: str
    status: int
    left: int
    retry_after_s: int | None


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    content_type: str = ""


@dataclass
class KubeFake:
    """The server. `tokens` are those that TokenReview knows; `asked` every request so far.

    While it is `silent`, watches stay open and tell nothing, as if they had been cut off.
    """

    store: KubeStore = field(default_factory=KubeStore)
    tokens: dict[str, Token] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    page_max: int = 500
    bookmark_s: float = BOOKMARK_S
    silent: bool = False
    port: int = 0
    _failures: list[_Failure] = field(default_factory=list)
    _watches: dict[int, tuple[web.Request, asyncio.Event]] = field(default_factory=dict)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None
    _wakers: set[asyncio.Task[None]] = field(default_factory=set)

    # What a test does.

    def put(self, plural: str, name: str, body: Object, *, namespace: str = "") -> Object:
        """Make an object, or write it over (a status as well)."""
        collection = next(one for one in COLLECTIONS if one.plural == plural)
        at = At(collection, namespace, name)
        metadata = {**body.get("metadata", {}), "name": name}
        metadata.pop("resourceVersion", None)  # a test writes whatever was there before
        full = {**body, "metadata": metadata}
        if at in self.store.objects:
            self.store.replace(at, full)
        else:
            self.store.create(at, full)
        if "status" in body and collection.has_status:
            self.store.replace(at, full, sub="status")
        self._wake()
        return self.store.objects[at]

    def get(self, plural: str, name: str, *, namespace: str = "") -> Object:
        """An object as it is kept. Raises Refused 404."""
        collection = next(one for one in COLLECTIONS if one.plural == plural)
        return self.store.read(At(collection, namespace, name))

    def remove(self, plural: str, name: str, *, namespace: str = "") -> None:
        """Delete an object."""
        collection = next(one for one in COLLECTIONS if one.plural == plural)
        self.store.delete(At(collection, namespace, name))
        self._wake()

    def fail(
        self, path: str, *, status: int, times: int = 1, retry_after_s: int | None = None
    ) -> None:
        """Answer the next requests below a path with an error."""
        self._failures.append(_Failure(path, status, times, retry_after_s))

    def stop_failing(self) -> None:
        """Answer as usual again."""
        self._failures.clear()

    def end_watches(self) -> None:
        """Let every watch end as if its time was over."""
        for _, ended in self._watches.values():
            ended.set()
        self._wake()

    def reset_watches(self) -> None:
        """Cut the connection of every watch."""
        for request, _ in list(self._watches.values()):
            if request.transport is not None:
                request.transport.abort()

    def watches(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig file for this server."""
        file = folder / "kubeconfig"
        cluster = {"server": f"http://127.0.0.1:{self.port}"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "fake", "user": {"token": "controller-token"}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "current-context": "fake",
        }
        file.write_text(yaml.safe_dump(content))
        return file

    def options(self, folder: Path, **more: Any) -> KubeOptions:
        """KubeOptions that lead to this server."""
        return KubeOptions(
            kubeconfig=self.kubeconfig(folder), **({"own_namespace": "farebox"} | more)
        )

    async def start(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be gone: connections are cut, new ones refused. What is stored stays."""
        self.reset_watches()
        if self._runner is not None:
            await self._runner.cleanup()

    # How it answers.

    def _wake(self) -> None:
        async def notify() -> None:
            async with self._moved:
                self._moved.notify_all()

        task = asyncio.get_running_loop().create_task(notify())
        self._wakers.add(task)
        task.add_done_callback(self._wakers.discard)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.asked.append(Asked(request.method, request.path, query, request.content_type))
        if (failed := self._failed(request.path)) is not None:
            return failed
        try:
            return await self._handle(request, query)
        except Refused as refused:
            return web.json_response(status_of(refused), status=refused.code)

    def _failed(self, path: str) -> web.Response | None:
        for failure in self._failures:
            if failure.left > 0 and path.startswith(failure.path):
                failure.left -= 1
                after = failure.retry_after_s
                headers = {"Retry-After": str(after)} if after is not None else {}
                refused = Refused(failure.status, "Failing", "failing as the test wants")
                return web.json_response(status_of(refused), status=failure.status, headers=headers)
        return None

    async def _handle(self, request: web.Request, query: dict[str, str]) -> web.StreamResponse:
        body = json.loads(await request.read() or b"null")
        if request.path == REVIEWS:
            return web.json_response(self._review(body), status=201)
        collection, namespace, name, sub = _place(request.path)
        if name:
            at = At(collection, namespace, name)
            return web.json_response(self._change(request, at, sub, body, query))
        if request.method == "POST":
            metadata = body["metadata"]
            made = metadata.get("name") or f"{metadata['generateName']}{self.store.version:x}"
            thing = self.store.create(At(collection, namespace, made), body)
            self._wake()
            return web.json_response(thing, status=201)
        if query.get("watch") == "true":
            return await self._watch(request, collection, namespace, query)
        return web.json_response(self._list(collection, namespace, query))

    def _change(
        self, request: web.Request, at: At, sub: str, body: Any, query: Mapping[str, str]
    ) -> Object:
        store = self.store
        if request.method == "GET":
            return store.read(at)
        match request.method, request.content_type:
            case "PUT", _:
                thing = store.replace(at, body, sub=sub)
            case "DELETE", _:
                thing = store.delete(at)
            case "PATCH", "application/apply-patch+yaml":
                thing = store.apply(at, body, query["fieldManager"], sub=sub)
            case "PATCH", "application/merge-patch+json":
                thing = store.merge(at, body, sub=sub)
            case "PATCH", "application/json-patch+json":
                thing = store.json_patch(at, body, sub=sub)
            case method, kind:
                raise Refused(415, "UnsupportedMediaType", f"{method} {kind}")
        self._wake()
        return thing

    def _list(self, collection: Collection, namespace: str, query: Mapping[str, str]) -> Object:
        everything = [
            thing
            for _, thing in self.store.in_collection(collection, namespace)
            if selects(query, thing)
        ]
        version, start = self.store.version, 0
        if "continue" in query:
            version, start = map(int, query["continue"].split("-"))
            if version < self.store.oldest:
                raise Refused(410, "Expired", "the continue parameter is too old")
        limit = min(int(query.get("limit", "0")) or self.page_max, self.page_max)
        rest = len(everything) - start - limit
        more = {"continue": f"{version}-{start + limit}", "remainingItemCount": rest}
        return {
            "apiVersion": collection.api_version,
            "kind": f"{collection.kind}List",
            "metadata": {"resourceVersion": str(version)} | (more if rest > 0 else {}),
            "items": everything[start : start + limit],
        }

    async def _watch(
        self,
        request: web.Request,
        collection: Collection,
        namespace: str,
        query: Mapping[str, str],
    ) -> web.StreamResponse:
        at_version = int(query.get("resourceVersion") or self.store.version)
        self.store.since(at_version)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        ended = asyncio.Event()
        self._watches[id(request)] = (request, ended)
        with contextlib.suppress(ConnectionError, TimeoutError):
            try:
                async with asyncio.timeout(float(query.get("timeoutSeconds", "300"))):
                    await self._stream(response, ended, (collection, namespace), at_version, query)
            finally:
                del self._watches[id(request)]
        return response

    async def _stream(
        self,
        response: web.StreamResponse,
        ended: asyncio.Event,
        where: tuple[Collection, str],
        version: int,
        query: Mapping[str, str],
    ) -> None:
        """Send events until `ended`; what a selector takes no more is sent as deleted."""
        collection, namespace = where
        while not ended.is_set():
            if self.silent:
                await asyncio.sleep(self.bookmark_s)
                continue
            # More may be stored while this is being sent: the next round sends it.
            told_until = self.store.version
            try:
                events = self.store.since(version)
            except Refused as refused:
                await _send(response, {"type": "ERROR", "object": status_of(refused)})
                return
            for event in events:
                fits = event.at.collection == collection and namespace in {"", event.at.namespace}
                if fits and selects(query, event.thing):
                    await _send(response, {"type": event.kind, "object": event.thing})
            version = told_until
            if query.get("allowWatchBookmarks") == "true":
                mark = {"kind": collection.kind, "metadata": {"resourceVersion": str(version)}}
                await _send(response, {"type": "BOOKMARK", "object": mark})
            await self._until_moved(ended, version)

    async def _until_moved(self, ended: asyncio.Event, version: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.bookmark_s), self._moved:
                await self._moved.wait_for(lambda: ended.is_set() or self.store.version > version)

    def _review(self, body: Object) -> Object:
        spec = body["spec"]
        token = self.tokens.get(spec["token"])
        wanted = spec.get("audiences") or ["https://kubernetes.default.svc"]
        fits = [one for one in wanted if token is not None and one in token.audiences]
        if token is None or not fits:
            status: Object = {"error": "[invalid bearer token, token audiences don't match]"}
        else:
            extra = {
                "authentication.kubernetes.io/pod-name": [token.pod_name],
                "authentication.kubernetes.io/pod-uid": [token.pod_uid],
            }
            user = {
                "username": f"system:serviceaccount:{token.namespace}:{token.service_account}",
                "uid": "uid-of-service-account",
                "groups": ["system:serviceaccounts", f"system:serviceaccounts:{token.namespace}"],
                "extra": extra if token.pod_uid else {},
            }
            status = {"authenticated": True, "user": user, "audiences": fits}
        return {**body, "status": status}


def _place(path: str) -> tuple[Collection, str, str, str]:
    """The collection, namespace, name and subresource of a path. Raises Refused 404."""
    for collection in COLLECTIONS:
        grouped = "/" in collection.api_version
        root = f"/{'apis' if grouped else 'api'}/{collection.api_version}/"
        if not path.startswith(root):
            continue
        parts = path.removeprefix(root).split("/")
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2 and collection.namespaced:
            namespace, parts = parts[1], parts[2:]
        _, name, sub, *rest = [*parts, "", ""]
        if parts[0] == collection.plural and sub in {"", "status"} and not any(rest):
            return collection, namespace, name, sub
    raise Refused(404, "NotFound", "the server could not find the requested resource")


def status_of(refused: Refused) -> Object:
    """The Status object of a refusal."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": str(refused),
        "reason": refused.reason,
        "code": refused.code,
    }


async def _send(response: web.StreamResponse, event: Object) -> None:
    await response.write(json.dumps(event).encode() + b"\n")


@contextlib.asynccontextmanager
async def serving_kube() -> AsyncIterator[KubeFake]:
    """A fake API server that serves inside this block."""
    fake = KubeFake()
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()

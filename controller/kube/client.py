"""One request to the API server, and one watch.

The one rule: whatever goes wrong is one KubeError with a sentence, and every request has an end.
This module must not know what is asked for. Objects are plain JSON values: no models, since ten
thousand pods would cost more as models than all else here; a number with a fraction is a Decimal,
so that no amount passes through a float (send none back: write texts).

    async with open_client(options) as kube:
        pool = await kube.get(path("farebox.dev/v1alpha1", "budgetpools", "shop", "team"))
        await kube.apply(path(..., sub="status"), {...})
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from controller.kube.options import KubeOptions

if TYPE_CHECKING:
    from kubernetes.aio.client.api_client import ApiClient

Object = dict[str, Any]
"""A JSON object of the API server."""

FIELD_MANAGER: Final = "farebox-controller"
CONNECTIONS_MAX: Final = 64
REQUEST_S_MAX: Final = 15.0
"""A page of 500 pods takes well under a second; who waits longer had better begin anew."""

CONNECT_S_MAX: Final = 5.0
WATCH_GRACE_S: Final = 15.0
"""So long after the end that it asked for a silent watch is given up: its connection is dead."""

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""500 objects of 128 KiB; one object has at most 1.5 MiB in etcd."""

EVENT_BYTES_MAX: Final = 8 * 1024 * 1024
SAID_CHARACTERS_MAX: Final = 500
RETRY_AFTER_S_MAX: Final = 60.0

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"

_DECODER: Final = msgspec.json.Decoder(Any, float_hook=Decimal)


class Page(msgspec.Struct, frozen=True):
    """A part of a list. `items` are read one by one: all at once they take ten times their size."""

    metadata: Object = {}
    items: list[msgspec.Raw] | None = None

    def objects(self) -> Iterator[Object]:
        """The objects; what is none is left out. Raises KubeError."""
        for item in self.items or ():
            with _readable():
                decoded = _DECODER.decode(item)
            if isinstance(decoded, dict):
                yield decoded


_PAGES: Final = msgspec.json.Decoder(Page)


class KubeError(Exception):
    """The API server has refused a request or not answered it; the text is a sentence.

    `status` is HTTP's, 0 when there was no answer; `reason` the API server's word, such as
    "NotFound", "Conflict", "AlreadyExists", "Expired", "Forbidden", "Invalid" ("" without);
    `retry_after_s` how long it asks to be left alone.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered later: no answer, 429, 5xx."""
        return self.status in {0, 429} or self.status >= 500

    @property
    def is_expired(self) -> bool:
        """Whether what was asked for is too old to be told: list anew."""
        return self.status == 410 or self.reason in {"Expired", "Gone"}


def path(
    api_version: str, plural: str, namespace: str = "", name: str = "", *, sub: str = ""
) -> str:
    """The path of a collection, an object or a subresource, such as "status"."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    parts = [root]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts += [plural, quote(name, safe=""), sub]
    return "/".join(part for part in parts if part)


class KubeClient:
    """The API server as this process reaches it. `api` is what the generated classes take."""

    def __init__(self, api: "ApiClient") -> None:
        self.api = api

    async def get(self, at: str, query: Mapping[str, str] | None = None) -> Object:
        """Read an object or a list. Raises KubeError (404: it isn't there)."""
        return await self.request("GET", at, query=query)

    async def page(self, at: str, query: Mapping[str, str]) -> Page:
        """Read a list, or what `limit` and `continue` leave of it. Raises KubeError."""
        with _sentences("GET", at):
            timeout = aiohttp.ClientTimeout(total=REQUEST_S_MAX, connect=CONNECT_S_MAX)
            answer = await self._ask("GET", at, query, None, JSON, timeout)
            try:
                body = await _whole(answer)
            finally:
                answer.release()
        with _readable():
            return _PAGES.decode(body)

    async def create(self, at: str, body: Object) -> Object:
        """Make an object in a collection. Raises KubeError (409 AlreadyExists)."""
        return await self.request("POST", at, body=body)

    async def replace(self, at: str, body: Object) -> Object:
        """Write a whole object. With metadata.resourceVersion: KubeError 409 after a change."""
        return await self.request("PUT", at, body=body)

    async def delete(self, at: str, body: Object | None = None) -> Object:
        """Delete an object; `body` may be DeleteOptions. Raises KubeError."""
        return await self.request("DELETE", at, body=body)

    async def merge(self, at: str, body: Object) -> Object:
        """Change the given fields (JSON merge patch): lists are replaced. Raises KubeError."""
        return await self.request("PATCH", at, body=body, content_type=MERGE)

    async def apply(
        self, at: str, body: Object, *, manager: str = FIELD_MANAGER, force: bool = True
    ) -> Object:
        """Apply the given fields as `manager` (server-side apply), and make what isn't there.

        `body` needs apiVersion, kind and metadata.name. Raises KubeError.
        """
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self.request("PATCH", at, query=query, body=body, content_type=APPLY)

    async def request(
        self,
        method: str,
        at: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        timeout_s: float = REQUEST_S_MAX,
    ) -> Object:
        """Any request whose answer is one JSON object. Raises KubeError."""
        with _sentences(method, at):
            timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S_MAX, timeout_s))
            answer = await self._ask(method, at, query, body, content_type, timeout)
            try:
                return _object(await _whole(answer))
            finally:
                answer.release()

    @contextlib.asynccontextmanager
    async def watch(
        self, at: str, query: Mapping[str, str], *, watch_s: int
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """The events of a watch, of at most `watch_s`; the API server ends it then.

        The iterator ends with the stream. Raises KubeError, also from the iterator.
        """
        asked = {**query, "watch": "true", "timeoutSeconds": str(watch_s)}
        with _sentences("WATCH", at):
            timeout = aiohttp.ClientTimeout(total=watch_s + WATCH_GRACE_S, connect=CONNECT_S_MAX)
            answer = await self._ask("GET", at, asked, None, JSON, timeout)
        try:
            yield _events(answer, at)
        finally:
            answer.close()

    async def close(self) -> None:
        """Close all connections."""
        close: Any = self.api.close  # the package leaves it untyped
        await close()

    async def _ask(
        self,
        method: str,
        at: str,
        query: Mapping[str, str] | None,
        body: object,
        content_type: str,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        whole = f"{at}?{urlencode(query)}" if query else at
        serialized = await self.api.param_serialize(
            method,
            whole,
            header_params={"Accept": JSON, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await self.api.call_api(*serialized, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        if response.status >= 400:
            try:
                raise _refusal(response, await _whole(response), f"{method} {at}")
            finally:
                response.release()
        return response


@contextlib.asynccontextmanager
async def open_client(options: KubeOptions) -> AsyncIterator[KubeClient]:
    """A client with the kubeconfig's or the service account's credentials, closed at the end.

    No request is made yet. Raises KubeError when the credentials can't be read.
    """
    # A second and 25 MB: only a controller in a cluster pays for them.
    from kubernetes.aio.client.api_client import ApiClient

    configuration = await _configuration(options)
    configuration.connection_pool_maxsize = CONNECTIONS_MAX
    try:
        api = ApiClient(configuration)
    except OSError as error:  # includes ssl.SSLError
        raise KubeError(f"the API server's certificates can't be used: {error}") from error
    client = KubeClient(api)
    try:
        yield client
    finally:
        await client.close()


async def _configuration(options: KubeOptions) -> Any:
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.config import load_incluster_config, load_kube_config
    from kubernetes.aio.config.config_exception import ConfigException

    from_pod: Any = load_incluster_config  # the package leaves both untyped
    from_file: Any = load_kube_config
    configuration = Configuration()
    try:
        if options.kubeconfig is None:
            from_pod(client_configuration=configuration)
        else:
            await from_file(
                config_file=str(options.kubeconfig),
                client_configuration=configuration,
                persist_config=False,
            )
    except ConfigException as error:
        where = options.kubeconfig or "the pod's service account"
        raise KubeError(
            f"the API server's address can't be read from {where}: {error}; give --kubeconfig FILE"
        ) from error
    except Exception as error:
        # The package lets whatever its YAML holds fail it: KeyError, TypeError, YAMLError.
        where = options.kubeconfig or "the pod's service account"
        raise KubeError(f"{where} can't be read: {type(error).__name__}: {error}") from error
    return configuration


@contextlib.contextmanager
def _sentences(method: str, at: str) -> Iterator[None]:
    """Turn what the client raises into KubeError."""
    from kubernetes.aio.config.config_exception import ConfigException

    try:
        yield
    except TimeoutError as error:
        raise KubeError(f"{method} {at}: the API server has not answered in time") from error
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        said = str(error) or type(error).__name__
        raise KubeError(f"{method} {at}: the API server can't be reached: {said}") from error
    except ConfigException as error:
        raise KubeError(f"{method} {at}: the credentials can't be renewed: {error}") from error


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises KubeError when it is larger than any answer should be."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            response.close()
            raise KubeError(f"the API server's answer is over {ANSWER_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KubeError(f"the API server's answer is not JSON: {error}") from error


def _object(body: bytes) -> Object:
    with _readable():
        decoded = _DECODER.decode(body)
    if not isinstance(decoded, dict):
        raise KubeError("the API server's answer is not a JSON object")
    return decoded


async def _events(response: aiohttp.ClientResponse, at: str) -> AsyncIterator[Object]:
    pending = bytearray()
    with _sentences("WATCH", at):
        async for part in response.content.iter_any():
            pending += part
            if b"\n" not in part:
                if len(pending) > EVENT_BYTES_MAX:
                    raise KubeError(f"WATCH {at}: an event is over {EVENT_BYTES_MAX} bytes")
                continue
            *lines, rest = pending.split(b"\n")
            pending = bytearray(rest)
            for line in lines:
                if line.strip():
                    yield _object(bytes(line))


def _refusal(response: aiohttp.ClientResponse, body: bytes, what: str) -> KubeError:
    """The error of an answer that is a Status object, or anything else."""
    try:
        status = _object(body)
    except KubeError:
        status = {"message": body[:SAID_CHARACTERS_MAX].decode(errors="replace").strip()}
    return error_of(status, what, http_status=response.status, headers=response.headers)


def error_of(
    status: Object, what: str, *, http_status: int = 0, headers: Mapping[str, str] | None = None
) -> KubeError:
    """The error that a Status object means, of an answer or of a watch's ERROR event."""
    code = status.get("code")
    said = str(status.get("message") or "no reason given")[:SAID_CHARACTERS_MAX]
    number = http_status or (code if isinstance(code, int) else 500)
    return KubeError(
        f"{what}: the API server answers {number}: {said}",
        status=number,
        reason=str(status.get("reason") or ""),
        retry_after_s=_retry_after(status, headers or {}),
    )


def _retry_after(status: Object, headers: Mapping[str, str]) -> float | None:
    details = status.get("details")
    asked = headers.get("Retry-After") or (
        details.get("retryAfterSeconds") if isinstance(details, dict) else None
    )
    try:
        return min(max(float(str(asked)), 0.0), RETRY_AFTER_S_MAX) if asked is not None else None
    except ValueError:
        return None

"""Runs in a pod and says Hello to a controller with each of the tokens in /tokens.

CONTROLLER is the controller's address; the file `none` stands for no token at all. What came of
each is one line of JSON on standard output. The one rule: it does what any program in any pod could
do.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Final

import grpc.aio

from farebox.wire.v1 import lease_pb2_grpc
from tests.support.lease_peers import LeasePeer

_TOKENS: Final = Path("/tokens")
_TRUST: Final = Path("/trust/ca.pem")
_ANSWER_S_MAX: Final = 30.0
_TRIES_MAX: Final = 20


async def _answer(token: str) -> list[str]:
    """The first answer of the controller itself.

    Where a stream is ended while the Hello is on its way, the client of gRPC tells of that and
    forgets with which words it was ended.
    """
    for _ in range(_TRIES_MAX):
        code, details = await _knock(token)
        if code != grpc.StatusCode.INTERNAL.name:
            break
    return [code, details]


async def _knock(token: str) -> list[str]:
    """What a controller answers: the code and the sentence, or that there was a Welcome."""
    trusted = grpc.ssl_channel_credentials(root_certificates=_TRUST.read_bytes())
    metadata = (("authorization", f"Bearer {token}"),) if token else None
    async with grpc.aio.secure_channel(os.environ["CONTROLLER"], trusted) as channel:
        call = lease_pb2_grpc.LeaseServiceStub(channel).Sync(metadata=metadata)
        try:
            async with asyncio.timeout(_ANSWER_S_MAX):
                await LeasePeer(call).greet("thief")
        except grpc.aio.AioRpcError as error:
            return [error.code().name, error.details() or ""]
        except (AssertionError, asyncio.InvalidStateError):
            return [(await call.code()).name, await call.details()]
        return ["OK", ""]


async def main() -> None:
    for path in sorted(_TOKENS.iterdir()):
        token = "" if path.name == "none" else path.read_text()
        told = {"token": path.name, "answer": await _answer(token)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())

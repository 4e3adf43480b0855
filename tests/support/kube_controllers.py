"""The controller as a process in a fake cluster, and sidecars that show a token."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio

from farebox.wire.v1 import lease_pb2_grpc
from tests.support.controller_processes import ControllerProcess
from tests.support.lease_peers import LeasePeer
from tests.support.ports import free_ports

SERVER_NAME = "farebox-controller-0.farebox-controller.farebox.svc"


class KubeControllerProcess(ControllerProcess):
    """`python -m controller --kubernetes`, with a ledger of its own in a folder.

    `ledger`: the flags of another one, such as `--store etcd --etcd-endpoints A,B`.
    """

    def __init__(
        self, folder: Path, kubeconfig: Path, *flags: str, ledger: Sequence[str] = ()
    ) -> None:
        super().__init__(folder, *flags)
        (self.probes,) = free_ports(1)
        self._kubeconfig = kubeconfig
        self._ledger = ledger or ("--store", f"sqlite:{folder / 'ledger.sqlite'}")

    def _command(self, ready: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "controller", "--kubernetes"),
            *("--kubeconfig", str(self._kubeconfig), "--own-namespace", "farebox"),
            *self._ledger,
            *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
            *("--probes", f"127.0.0.1:{self.probes}", "--ready-file", str(ready)),
            *self._flags,
        ]


@asynccontextmanager
async def secured_peer(port: int, authorities: str, token: str) -> AsyncIterator[LeasePeer]:
    """A stream by TLS, from whoever has this token."""
    credentials = grpc.ssl_channel_credentials(authorities.encode())
    options = (("grpc.ssl_target_name_override", SERVER_NAME),)
    address = f"127.0.0.1:{port}"
    async with grpc.aio.secure_channel(address, credentials, options) as channel:
        call = lease_pb2_grpc.LeaseServiceStub(channel).Sync(
            metadata=(("authorization", f"Bearer {token}"),)
        )
        yield LeasePeer(call)
        call.cancel()

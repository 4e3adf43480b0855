"""The wire as it was in the version before, for peers that were not updated yet.

The messages are made from the proto files in tests/data/wire_before, which are replaced at each
release by those released before. The one rule: nothing of the present wire is used, so that what an
older peer doesn't know it really does not know.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

BEFORE: Final = Path(__file__).parents[1] / "data" / "wire_before"
BUF: Final = Path(sys.executable).with_name("buf")
SERVICE: Final = "farebox.wire.v1.LeaseService"
_PACKAGE: Final = "farebox.wire.v1"
_BUILD_S_MAX: Final = 100


class OlderWire:
    """Makes and reads older messages."""

    def __init__(self) -> None:
        """Compile the older proto files."""
        built = subprocess.run(
            [BUF, "build", BEFORE, "--as-file-descriptor-set", "-o", "-"],
            capture_output=True,
            timeout=_BUILD_S_MAX,
            check=True,
        )
        self._pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(built.stdout).file:
            self._pool.Add(file)
        self.request = self._type("SyncRequest")
        self.response = self._type("SyncResponse")

    def as_response(self, message: Message) -> Any:
        """What the controller of the version before would have sent."""
        older = self.response.FromString(message.SerializeToString())
        older.DiscardUnknownFields()
        return older

    def _type(self, name: str) -> Any:
        return GetMessageClass(self._pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))

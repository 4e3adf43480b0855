"""The annotation by which a pod says what was injected into it.

The one rule: what is not in this record is not ours, and is never changed or taken away. This
module must not know what a sidecar needs.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from controller.injection.overrides import RECORD, OverrideError


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What an injection added beside the container and the volumes, which have names of their own.

    `hash` names the settings; `env` the variables by container; `pull_secrets` by name.
    """

    hash: str
    env: dict[str, tuple[str, ...]] = {}
    pull_secrets: tuple[str, ...] = ()

    def text(self) -> str:
        """The value of the annotation."""
        return msgspec.json.encode(self, order="deterministic").decode()


def read_record(annotations: Mapping[str, Any]) -> Record | None:
    """The record of a pod; None when nothing was injected. Raises OverrideError."""
    text = annotations.get(RECORD)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Record)
    except (msgspec.DecodeError, TypeError, RecursionError):
        raise OverrideError(
            [f"annotation {RECORD} is not what the injection writes: leave it out"]
        ) from None

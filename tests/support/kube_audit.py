"""What somebody asked of the API server, as its own audit log has it, against what was granted.

The one rule: the log decides, not what anybody's code says that it asks. This module must not know
who asked.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.kube.rights import Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One kind of request; `resource` with its subresource ("pods/status")."""

    verb: str
    group: str
    resource: str
    name: str
    refused: bool

    def within(self, right: Right) -> bool:
        """Whether a right covers it."""
        return (
            self.group == right.group
            and self.resource == right.resource
            and self.verb in right.verbs
            # What is made has no name yet when it is asked for.
            and (not right.names or self.name in right.names or self.verb == "create")
        )


def askers(log: Path) -> set[str]:
    """Everybody who asked anything."""
    return {json.loads(line)["user"]["username"] for line in log.read_text().splitlines()}


def asked_by(log: Path, user: str) -> set[Asked]:
    """Everything that a user asked about resources."""
    return set(_asked(log, user))


def _asked(log: Path, user: str) -> Iterator[Asked]:
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["user"]["username"] == user and "objectRef" in event:
            yield _read(event, event["verb"])
            # Who applies what is not there yet needs the right to make it too.
            if event["verb"] == "patch" and event.get("responseStatus", {}).get("code") == 201:
                yield _read(event, "create")


def _read(event: Mapping[str, Any], verb: str) -> Asked:
    about = event["objectRef"]
    parts = (about["resource"], about.get("subresource", ""))
    return Asked(
        verb=verb,
        group=about.get("apiGroup", ""),
        resource="/".join(part for part in parts if part),
        name=about.get("name", ""),
        refused=event.get("responseStatus", {}).get("code") == 403,
    )


def always_refused(rights: Iterable[Right], asked: Iterable[Asked]) -> list[Asked]:
    """What was refused and never allowed, where a right is for some names each of them."""
    named = {(one.group, one.resource) for one in rights if one.names}
    allowed, refused = set(), {}
    for one in asked:
        about = (one.group, one.resource)
        key = (one.verb, *about, one.name if about in named else "")
        if one.refused:
            refused[key] = one
        else:
            allowed.add(key)
    return [one for key, one in refused.items() if key not in allowed]


def never_used(rights: Iterable[Right], asked: Iterable[Asked]) -> list[str]:
    """Each verb of each right that nothing needed."""
    found = list(asked)
    return [
        f"{verb} {right.resource}"
        for right in rights
        for verb in right.verbs
        if not any(one.within(right) and one.verb == verb for one in found)
    ]

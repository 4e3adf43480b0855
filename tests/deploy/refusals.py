"""Wrong resources: what each is, which field is to blame, and what an API server refuses it by.

The one rule: `field` is what the readers blame, and `says` is how the message of the CEL rule
begins that refuses the resource. This module must not know how anything is checked.
"""

import enum
from dataclasses import dataclass

from farebox.manifests.resources import Kind


class By(enum.StrEnum):
    """What refuses a resource."""

    STRUCTURE = "structure"
    RULE = "a CEL rule"
    CHANGE = "a CEL rule that compares with the resource as it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A wrong resource called "one". `was`: the spec before, where only the change is wrong."""

    what: str
    kind: Kind
    spec: str
    field: str
    by: By = By.STRUCTURE
    says: str = ""
    was: str = ""

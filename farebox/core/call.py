"""One call as its caller made it, whatever API it came by.

The one rule: a `Call` holds facts only, no opinion about them. Dialects make it; this module must
not know any provider's JSON.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from farebox.core.budgets import Keys, Priority

__all__ = ["Call", "Identity", "Priority"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who calls and what for, from headers, baggage or body; "" where the caller is silent.

    `min_tier` names the lowest tier that may serve, `residency` labels that a model must have.
    """

    keys: Keys = field(default_factory=Keys)
    task: str = ""
    priority: Priority = Priority.NORMAL
    min_tier: str = ""
    residency: tuple[str, ...] = ()


class Call(NamedTuple):
    """What was asked. A tuple, because one is made for every call.

    `body_bytes` is the length of the whole body, which bounds its tokens. `output_tokens` is the
    caller's own max_tokens, None when it gave none. `prompt` is the last user message, `system` the
    system text, `turns` the number of messages. `path` is the API path below the provider.
    `schema` is the JSON schema that the answer is asked to have, "" where there is none.
    """

    path: str
    model: str
    identity: Identity
    body_bytes: int
    prompt: str = ""
    system: str = ""
    turns: int = 1
    output_tokens: int | None = None
    choices: int = 1
    stream: bool = False
    usage_asked: bool = False
    tools: int = 0
    images: int = 0
    json_schema: bool = False
    schema: str = ""

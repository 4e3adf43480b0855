"""One accepted call: everything that its answer and its bill depend on.

The one rule: a value, complete before anything is billed or sent. It reads no clock and sends
nothing.
"""

import msgspec

from farebox.simulated.answers import Choice
from farebox.simulated.config import ModelConfig
from farebox.simulated.faults import Fault, FaultKind
from farebox.simulated.frames import Completion, Usage
from farebox.simulated.ledger import Entry
from farebox.simulated.pricing import Rates, bill_pico
from farebox.simulated.prompt import Prompt
from farebox.simulated.request import ChatRequest


class Call(msgspec.Struct, frozen=True, kw_only=True):
    request: ChatRequest
    request_id: str
    key_tail: str | None
    received_at_ms: int
    model: ModelConfig
    rates: Rates
    prompt: Prompt
    cached_tokens: int
    choices: tuple[Choice, ...]
    output_tokens: int
    """Of all choices together, when nothing breaks the answer off."""
    fault: Fault | None

    @property
    def seconds_per_token(self) -> float:
        """The pace of generation; 0 for at once."""
        return 1 / self.model.tokens_per_second if self.model.tokens_per_second else 0

    @property
    def pause_seconds(self) -> float:
        """The pause of the fault `slowBody`."""
        return (0 if self.fault is None else self.fault.amount or 0) / 1000

    def has(self, kind: FaultKind) -> bool:
        return self.fault is not None and self.fault.kind is kind

    @property
    def usage(self) -> Usage:
        return Usage(
            prompt=self.prompt.tokens,
            cached=self.cached_tokens,
            completion=self.output_tokens,
            reasoning=sum(choice.reasoning_tokens for choice in self.choices),
        )

    @property
    def completion(self) -> Completion:
        return Completion(
            completion_id=f"chatcmpl-{self.request_id}",
            created=self.received_at_ms // 1000,
            model=self.model.name,
        )

    def entry(self, *, seq: int, billed_at_ms: int, output_tokens: int) -> Entry:
        """The ledger's record of this call, of which `output_tokens` were generated."""
        pico = bill_pico(
            self.rates,
            input_tokens=self.prompt.tokens,
            cached_tokens=self.cached_tokens,
            output_tokens=output_tokens,
        )
        return Entry(
            seq=seq,
            request_id=self.request_id,
            received_at_ms=self.received_at_ms,
            billed_at_ms=billed_at_ms,
            model=self.model.name,
            user=self.request.user,
            key_tail=self.key_tail,
            metadata=self.request.metadata,
            input_tokens=self.prompt.tokens,
            cached_tokens=self.cached_tokens,
            output_tokens=output_tokens,
            stream=bool(self.request.stream),
            fault=None if self.fault is None else self.fault.kind.value,
            billed_pico=pico,
            max_tokens_asked=self.request.max_tokens_asked,
        )

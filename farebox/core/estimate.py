"""What a call may cost before it is made: a true bound, so that what is billed is what was held.

A byte-level tokenizer never makes more tokens than bytes, so the length of the body bounds the
input for nothing. Where text is not the whole input (images), the context window is the bound,
because no provider bills more input than the model can read. The one rule: nothing here is a guess
unless its name says `expected`. This module must not know pools.
"""

from typing import Final, NamedTuple

from farebox.core.call import Call
from farebox.core.money import Nanos, divide_up
from farebox.core.prices import output_that_fits, plain_cost, worst_cost
from farebox.core.tiers import Model

MESSAGE_OVERHEAD_TOKENS: Final = 8
"""Bound on what a chat template adds to a message; OpenAI's published figure is 3 or 4."""

CALL_OVERHEAD_TOKENS: Final = 32
TOOL_OVERHEAD_TOKENS: Final = 32
"""Bounds on what a template adds to the call and to the JSON of each tool."""

BYTES_PER_TOKEN_EXPECTED: Final = 4
"""Typical for English text; used for the expected cost only, never for a hold."""

OUTPUT_EXPECTED_DEFAULT: Final = 256

_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; every call makes some."""


class Estimate(NamedTuple):
    """Tokens and money of one call on one model. `output_asked`: what max_tokens is set to."""

    input_max: int
    output_asked: int
    output_max: int
    worst: Nanos
    expected: Nanos


def input_bound(call: Call, model: Model) -> int:
    """The most input tokens that the call can be billed for on this model."""
    if call.images:
        return model.context_window
    return min(input_bound_of_text(call), model.context_window)


def input_bound_of_text(call: Call) -> int:
    """The most tokens that the call's text can be, whatever the model's window."""
    overhead = call.turns * MESSAGE_OVERHEAD_TOKENS + call.tools * TOOL_OVERHEAD_TOKENS
    return call.body_bytes + overhead + CALL_OVERHEAD_TOKENS


def input_expected(call: Call) -> int:
    """The likely number of input tokens, for comparing candidates and for the context guard."""
    return call.body_bytes // BYTES_PER_TOKEN_EXPECTED


def with_overrun(model: Model, output_tokens: int) -> int:
    """What the model may really write when it is asked for at most `output_tokens`."""
    percent = model.overrun_percent
    return output_tokens + divide_up(output_tokens * percent, 100) if percent else output_tokens


def estimate(
    call: Call, model: Model, *, output_asked: int, output_expected: int = 0, text_max: int = 0
) -> Estimate:
    """Bound and expect the cost of a call whose max_tokens is set to `output_asked`.

    `text_max` is `input_bound_of_text`, where it is known and text is the whole input.
    """
    price, choices = model.price, call.choices
    input_max = min(text_max, model.context_window) if text_max else input_bound(call, model)
    output_max = with_overrun(model, output_asked) * choices
    likely = min(output_asked, output_expected or OUTPUT_EXPECTED_DEFAULT) * choices
    worst = worst_cost(price, input_max=input_max, output_max=output_max)
    expected = plain_cost(price, input_tokens=input_expected(call), output_tokens=likely)
    return _new(Estimate, (input_max, output_asked, output_max, worst, expected))


def output_affordable(call: Call, model: Model, *, money: Nanos) -> int:
    """The highest max_tokens whose worst case fits; negative when the prompt alone doesn't."""
    fits = output_that_fits(model.price, input_max=input_bound(call, model), money=money)
    if fits < 0:
        return -1
    per_choice = fits // call.choices
    return per_choice * 100 // (100 + model.overrun_percent)

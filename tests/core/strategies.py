"""Prices, usages, models and calls as hypothesis strategies, of sizes that really occur.

The one rule: nothing here knows what a test expects of it.
"""

from hypothesis import strategies as st

from farebox.core.call import Call, Identity
from farebox.core.prices import Price, Rates
from farebox.core.tasks import AUTO_MODEL
from farebox.core.tiers import Api, Capability, Model
from farebox.core.usage import Usage, UsageKind

RATE_MAX = 10**12
"""A thousand dollars per million tokens, far above any published rate."""

TOKENS_MAX = 2_000_000

rate_values = st.integers(0, RATE_MAX)
token_counts = st.integers(0, TOKENS_MAX)


@st.composite
def rates(draw: st.DrawFn) -> Rates:
    """Rates with the plain kinds and any others."""
    others = draw(st.dictionaries(st.sampled_from(UsageKind), rate_values))
    plain = {UsageKind.INPUT: draw(rate_values), UsageKind.OUTPUT: draw(rate_values)}
    return Rates(by_kind={**others, **plain})


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """A price with up to three steps, dearer or cheaper ones."""
    thresholds = draw(st.sets(st.integers(0, TOKENS_MAX), max_size=3))
    steps = tuple((threshold, draw(rates())) for threshold in sorted(thresholds))
    return Price(rates=draw(rates()), above=steps)


@st.composite
def splits(draw: st.DrawFn, total: int, parts: int) -> list[int]:
    """A total split into so many counts."""
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=parts - 1, max_size=parts - 1)))
    return [high - low for low, high in zip([0, *cuts], [*cuts, total], strict=True)]


@st.composite
def usages(draw: st.DrawFn, *, input_max: int = TOKENS_MAX, output_max: int = TOKENS_MAX) -> Usage:
    """A usage of one call within bounds, split into kinds in any way."""
    read = draw(splits(draw(st.integers(0, input_max)), 4))
    written = draw(splits(draw(st.integers(0, output_max)), 3))
    return Usage(
        input=read[0],
        cached_input=read[1],
        cache_write=read[2],
        input_audio=read[3],
        output=written[0],
        reasoning=written[1],
        output_audio=written[2],
        call=draw(st.integers(0, 1)),
    )


@st.composite
def models(draw: st.DrawFn, name: str = "some-model") -> Model:
    """A model with any price and window."""
    return Model(
        name=name,
        provider="openai",
        api=Api.OPENAI_CHAT,
        base_url="http://127.0.0.1:9/v1",
        upstream_name=name,
        price=draw(prices()),
        context_window=draw(st.integers(1, TOKENS_MAX)),
        max_output_tokens=draw(st.integers(1, 200_000)),
        capabilities=draw(st.frozensets(st.sampled_from(Capability))),
        overrun_percent=draw(st.integers(0, 100)),
    )


@st.composite
def calls(draw: st.DrawFn, model: str = AUTO_MODEL) -> Call:
    """A call of any shape for `model`."""
    return Call(
        path="/v1/chat/completions",
        model=model,
        identity=Identity(),
        body_bytes=draw(st.integers(2, TOKENS_MAX)),
        prompt=draw(st.text(max_size=50)),
        turns=draw(st.integers(1, 20)),
        output_tokens=draw(st.none() | st.integers(1, 200_000)),
        choices=draw(st.integers(1, 4)),
        tools=draw(st.integers(0, 3)),
        images=draw(st.integers(0, 2)),
        json_schema=draw(st.booleans()),
    )

"""Simulated LLM providers that bill every call exactly and keep their own ledger.

The one rule: they judge the money, so they share no code with what they judge. Price arithmetic,
token counting and book-keeping are their own, and nothing of `farebox` is imported here except
`farebox.simulated` itself.

The files in the order of a call: `http1` reads the request, `server` finds its handler, `request`
checks the body, `prompt` counts it with `tokens` and `prefixes`, `faults` says what goes wrong,
`answers` (with `schemas`) writes the text unless a book of `outcomes` foresaw it, `chat` bills it
with `pricing` into the `ledger` and sends it in the `frames` of OpenAI's API.

`python -m farebox.simulated --config FILE --ledger FILE` runs one provider as a process;
`server.SimulatedProvider` runs one inside a test.
"""

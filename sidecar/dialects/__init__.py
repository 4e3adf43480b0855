"""Providers' formats: requests, answers and event streams as values. Pure; no I/O.

`openai_chat` reads and rewrites requests, `openai_answers` reads whole answers and makes refusals,
`openai_stream` meters streams, `sse` splits any event stream into events.
"""

"""Benchmarks: what Farebox costs per call, as ratios against a plain proxy in the same run.

Read in this order: `proxy` (entry point), `rounds` (the interleaved run), `figures` (arithmetic),
`report` (table and verdicts); beside them `traffic` (the bytes), `upstream` and `load` (the two
ends), `processes` (start, stop, CPU and memory), `targets` and `envoy` (what is compared).
The one rule: no verdict rests on an absolute time, because machines differ; only on ratios taken
within one run, and on resident memory.
"""

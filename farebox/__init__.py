"""Farebox, the part that both processes share.

`core` is pure arithmetic and decisions, `wire` the one contract between sidecar and controller,
`manifests` reads resources, `runtime` the small shell (clock, logs, probes), `simulated` the
providers of the demo and the tests, `cli` the `farebox` command.
"""

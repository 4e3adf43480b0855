"""The small shell that both processes stand in: clock, logs, tasks, probes.

Nothing here knows money, leases or providers.
"""

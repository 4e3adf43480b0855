"""The data plane: one process beside each pod that sees, prices, routes and forwards its LLM calls.

Read the files in the order of a call:

    listener   accepts HTTP, bounds it, finds the provider and API by the path
    identify   who calls and what for: headers, baggage, body
    dialects   a provider's JSON and event stream <-> values
    exchange   the life of one call without any I/O: events in, commands out; `attempts` says how
               the money of each attempt ends, `story` keeps what was done
    driver     carries the commands out: money, upstream, caller
    upstream   a pooled HTTP/1.1 client
    receipts   what is kept of a finished call; telemetry counts it

Beside them stand journal, purse, leasing and cashier (the money) and policy (what the controller
said last). `app` is the only place where they are put together.
"""

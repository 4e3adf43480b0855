"""The control plane: reads resources, lends money to sidecars, keeps the ledger.

Read in this order: `events` (what comes in and goes out), `world` (what is known), `engine` and its
parts `hello`, `reports`, `lending`, `passing` (the rules, without I/O), `committer` (store first,
then send), `lease_server`, `watch`, `status`, and `app`, which wires them.
"""

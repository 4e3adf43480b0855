"""The durable ledger behind the engine: one protocol, and what keeps it."""

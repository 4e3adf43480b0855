"""What a sidecar says of its policy and its leases, for tests of what is made of it."""

from typing import Any

POLICY: dict[str, Any] = {
    "generation": 3,
    "pools": [
        {"pool": "default/acme", "per": "Shared", "limit_usd": "1.20"},
        {"pool": "default/user", "per": "User", "limit_usd": "0.25"},
    ],
    "classifier": "Hybrid",
    "weights": {"in_use": "farebox-small", "problem": ""},
    "models": [{"model": "gpt-4o-mini", "tier": "small"}],
}
LEASES: dict[str, Any] = {
    "holder": "h-1",
    "connected": True,
    "leases": [
        {
            "pool": "default/user",
            "key": "ana",
            "window": 1,
            "granted_usd": "0.30",
            "returned_usd": "0.10",
            "spent_usd": "0.05",
            "held_usd": "0.01",
            "headroom_usd": "0.14",
            "overdraft_usd": "0.00",
        }
    ],
}

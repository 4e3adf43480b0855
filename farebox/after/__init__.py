"""After launch: what really happened, what another policy would have made of it, what to change.

`receipts` reads what sidecars kept, `manifests` what a policy says. `past` makes calls of receipts
and `bills` knows what they cost (`cases`); `rerun` lets a policy decide about them again, over a
`virtual` ledger, and `compared` sets the result beside what happened. `measured` adds up how the
tiers did, `retune` says what to change, `documents` writes it as manifests.

The one rule: nothing here calls a provider, and nothing is written into anybody's manifests.
"""

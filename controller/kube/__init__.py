"""The controller inside a cluster: resources, pods and identities come from the API server.

Read in this order: `options` (what is configured), `client` (one request), `reflector` (one kind
kept as a mirror), `resources` and `pods` (what the mirrors mean), `cluster` (puts it together). The
one rule: what the API server has said stays in force while it can't be reached.
"""

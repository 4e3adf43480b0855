"""What is put into a pod beside its own containers: settings, overrides, the sidecar, the patch.

The one rule: everything here is a pure function from JSON values to JSON values; what the API
server asks twice is answered twice the same. This package must not know sockets or the API server.
"""

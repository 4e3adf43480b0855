"""The caller's side of a call: requests come in, answers go out, over HTTP/1.1.

The one rule: nothing here decides about a call. This package must not know models or money.
"""

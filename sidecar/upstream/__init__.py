"""A pooled HTTP/1.1 client that knows, for every failure, whether a request may have been sent.

`origin` says where, `request` makes the bytes, `connection` carries one request at a time, `pool`
keeps connections, `watchdog` bounds every wait.
"""

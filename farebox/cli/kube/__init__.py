"""The kubectl plugin, `kubectl farebox`: what the command line asks, asked of a cluster.

`kubectl.py` starts kubectl, `cluster.py` finds the pods, `asking.py` puts the questions, `main.py`
has the arguments, `hook.py` completes them. The one rule: everything goes through the user's own
kubectl, with the user's own rights; nothing here has a client or credentials of its own.
"""

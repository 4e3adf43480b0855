"""Data files that ship with Farebox: the price table and the prompts of the demo. No code.

Read them with importlib.resources; `make prices` renews the price table.
"""

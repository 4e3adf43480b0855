"""Generated from proto/ by tools/generate.py: change the proto, then `make proto`."""

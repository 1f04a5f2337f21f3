"""The parts of bench/kv.py."""

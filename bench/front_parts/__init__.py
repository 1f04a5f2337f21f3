"""The parts of bench/front.py."""

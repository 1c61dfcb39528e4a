"""Fault handles, fault maps and shootdown handles of the GRU, side by side, beside exact references of them."""

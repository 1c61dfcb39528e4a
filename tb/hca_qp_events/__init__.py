"""Bench of the HCA's queue pairs, event by event."""

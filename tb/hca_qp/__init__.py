"""Block bench of the HCA's queue pairs."""

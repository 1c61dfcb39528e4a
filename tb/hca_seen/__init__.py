"""Block test of what a monitor sees of the HCA's translation."""

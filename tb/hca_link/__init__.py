"""Block test of the cable between two HCAs."""

"""The link of an HCA: packets of flits, out and in."""

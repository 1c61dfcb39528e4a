"""The register bus: an AXI4-Lite master."""

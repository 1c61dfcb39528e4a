"""The memory bus: what answers an AXI4 master of single beats."""

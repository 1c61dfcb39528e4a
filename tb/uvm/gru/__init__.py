"""The UVM environment of the GRU chiplet."""

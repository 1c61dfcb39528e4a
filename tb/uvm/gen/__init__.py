"""Generated for the UVM tests: the register model of the HCA."""

"""The block bench of the HCA's memory side (rtl/hca/hca_mmu.sv): registers, commands, faults, translation; memory beside it."""

"""The block bench of the HCA's translation (rtl/hca/hca_xlt.sv): the block alone, with memory and an untimed reference beside it."""

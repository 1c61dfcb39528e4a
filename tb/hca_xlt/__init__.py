"""The block bench of the HCA's translation (rtl/hca/hca_xlt.sv): with memory and an untimed reference beside it."""

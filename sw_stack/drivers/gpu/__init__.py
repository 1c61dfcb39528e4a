"""A GPU whose memory is pinned while an operation runs, and at no other time."""

from sw_stack.drivers.gpu.gpu import Gpu, Operand
from sw_stack.drivers.gpu.operation import Operation
from sw_stack.drivers.gpu.policy import MUTANT_TEXT, GpuPolicy, Mutant
from sw_stack.drivers.gpu.stats import GpuStats

__all__ = ["MUTANT_TEXT", "Gpu", "GpuPolicy", "GpuStats", "Mutant", "Operand", "Operation"]

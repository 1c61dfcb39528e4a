"""A hypervisor: guests that run on shadow page table entries, kept true by the MMU notifiers."""

from sw_stack.drivers.kvm.errors import GuestFaultError, KvmError
from sw_stack.drivers.kvm.kvm import Kvm
from sw_stack.drivers.kvm.policy import MUTANT_TEXT, KvmPolicy, Mutant, Style
from sw_stack.drivers.kvm.slots import Slot
from sw_stack.drivers.kvm.stats import KvmStats
from sw_stack.drivers.kvm.vcpu import Vcpu

__all__ = [
    "MUTANT_TEXT",
    "GuestFaultError",
    "Kvm",
    "KvmError",
    "KvmPolicy",
    "KvmStats",
    "Mutant",
    "Slot",
    "Style",
    "Vcpu",
]

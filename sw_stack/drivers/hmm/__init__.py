"""A device that mirrors a process's page table in software (lib/test_hmm.c)."""

from sw_stack.drivers.hmm.mirror import MUTANT_TEXT, Mirror, Mutant
from sw_stack.drivers.hmm.values import Access, Done, Prot, Refused

__all__ = ["MUTANT_TEXT", "Access", "Done", "Mirror", "Mutant", "Prot", "Refused"]

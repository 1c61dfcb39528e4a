"""What the reference says of address attributes and of unmapped instructions."""

from __future__ import annotations

import pytest

from hwif.gen import gru as g
from tb.uvm.agents.axi.memory import SparseMemory
from tb.uvm.gru.attributes import GAA_LSB, refusal
from tb.uvm.gru.program import instruction
from tb.uvm.gru.reference import Instruction
from tb.uvm.gru.spaces import PAGE, Page, Space

MISMATCH, FORBIDDEN = 1 << g.CbEcause.IAA_GAA_MISMATCH, 1 << g.CbEcause.UNMAPPED_MODE_FORBIDDEN
SEGMENT = 1024


class Empty:
    """A data segment of zeros."""

    def read(self, addr: int, count: int) -> bytes:
        return bytes(count)

    def write(self, addr: int, data: bytes) -> None:
        raise AssertionError("a question writes nothing")


@pytest.fixture
def space() -> Space:
    found = Space(1, SparseMemory("attributes"))
    found.map(Page(4, 0, 40, gaa=g.Gaa.MMIO), (4,))
    found.map(Page(5, 0, 50, gaa=g.Gaa.NCRAM), (5,))
    return found


def asked(space: Space, opc: int, *, unmap: bool = False, **fields: int) -> int:
    one = Instruction(instruction(opc, stride_op1=1, **{"nelem": 1, **fields}))
    return refusal(one, Empty(), space, SEGMENT, unmap=unmap)


@pytest.mark.parametrize("opc", [g.CbOpc.VLOAD, g.CbOpc.VSTORE, g.CbOpc.VSET, g.CbOpc.IVLOAD])
def test_every_page_must_have_the_named_attribute(space: Space, opc: g.CbOpc) -> None:
    assert asked(space, opc, baddr0=4 * PAGE, iaa0=g.Gaa.MMIO) == 0
    assert asked(space, opc, baddr0=4 * PAGE, iaa0=g.Gaa.NCRAM) == MISMATCH
    assert asked(space, opc, baddr0=4 * PAGE, iaa0=g.Gaa.MMIO, nelem=0) == 0, "it touches nothing"
    assert asked(space, opc, baddr0=4 * PAGE, iaa0=g.Gaa.RAM, nelem=0) == 0


def test_a_vector_over_two_attributes_is_refused(space: Space) -> None:
    over = {"baddr0": 5 * PAGE - 16, "nelem": 4}
    assert asked(space, g.CbOpc.VLOAD, iaa0=g.Gaa.MMIO, **over) == MISMATCH
    assert asked(space, g.CbOpc.VLOAD, iaa0=g.Gaa.NCRAM, **over) == MISMATCH


def test_a_copy_has_one_for_each_side(space: Space) -> None:
    copy = {"baddr0": 4 * PAGE, "baddr1_op2": 5 * PAGE, "tri1_bufsize": 1}
    assert asked(space, g.CbOpc.BCOPY, iaa0=g.Gaa.MMIO, iaa1=g.Gaa.NCRAM, **copy) == 0
    assert asked(space, g.CbOpc.BCOPY, iaa0=g.Gaa.MMIO, iaa1=g.Gaa.MMIO, **copy) == MISMATCH
    assert asked(space, g.CbOpc.BCOPY, iaa0=g.Gaa.NCRAM, iaa1=g.Gaa.NCRAM, **copy) == MISMATCH


def test_unmapped_needs_permission_and_the_attribute_in_its_address(space: Space) -> None:
    unmapped = {"ima": g.CbIma.UNMAPPED, "baddr0": (g.Gaa.REGISTER << GAA_LSB) + 7 * PAGE}
    assert asked(space, g.CbOpc.VLOAD, iaa0=g.Gaa.REGISTER, **unmapped) == FORBIDDEN
    assert asked(space, g.CbOpc.VLOAD, iaa0=g.Gaa.REGISTER, unmap=True, **unmapped) == 0
    assert asked(space, g.CbOpc.VLOAD, iaa0=g.Gaa.RAM, unmap=True, **unmapped) == MISMATCH


def test_who_is_refused_for_more_is_not_judged_here(space: Space) -> None:
    assert asked(space, g.CbOpc.GAMXR, baddr0=9 * PAGE) == 0
    assert asked(space, g.CbOpc.NOP, ima=g.CbIma.UNMAPPED) == 0
    with pytest.raises(KeyError):
        asked(space, g.CbOpc.VLOAD, baddr0=9 * PAGE)

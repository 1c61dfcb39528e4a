"""What a cycle puts on the ports of the handles, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["HALF", "Cycle", "Done", "Park", "Reg", "Unit"]

HALF = 64
HALF_MASK = (1 << HALF) - 1


class Unit(IntEnum):
    """Whose registers: the numbers of reg_unit_i."""

    NONE = 0
    TFH = 1
    TFM = 2
    TGH = 3


@dataclass(frozen=True)
class Reg:
    """A register access; without `write` a read."""

    unit: Unit
    idx: int
    dw: int
    write: int | None = None


@dataclass(frozen=True)
class Park:
    """A miss, and what its context asks for."""

    cbr: int
    va: int
    asid: int
    ctx: int
    indexway: int
    mod: bool
    ima_int: bool
    fault_bit: bool
    interrupt: bool
    core: int


@dataclass(frozen=True)
class Done:
    """An instruction that ends and wants its interrupt."""

    cbr: int
    interrupt: bool
    bit: bool
    core: int


@dataclass(frozen=True)
class Cycle:
    """Everything. `fill_done`: None, or whether the TLB dropped it; `restart`, `gone`: control blocks of a context that starts or
    ends."""

    reg: Reg | None = None
    park: Park | None = None
    done: Done | None = None
    fill_ready: bool = False
    fill_done: bool | None = None
    exc_ready: bool = False
    alloc: int = 0
    restart: int = 0
    gone: int = 0
    shoot_ready: bool = False
    shoot_done: int = 0

    def pins(self) -> dict[str, int]:
        """By the names of the ports."""
        mask = self.restart | self.gone
        pins = {"fill_ready": int(self.fill_ready), "exc_ready": int(self.exc_ready), "shoot_ready": int(self.shoot_ready)}
        pins |= {"shoot_done": self.shoot_done, "go": int(bool(self.restart)), "dealloc": int(bool(self.gone))}
        pins |= {"alloc0": self.alloc & HALF_MASK, "alloc1": self.alloc >> HALF, "mask0": mask & HALF_MASK, "mask1": mask >> HALF}
        if self.fill_done is not None:
            pins |= {"fill_done": 1, "fill_dropped": int(self.fill_done)}
        if self.reg:
            pins |= {"reg_unit": self.reg.unit, "reg_idx": self.reg.idx, "reg_dw": self.reg.dw}
            pins |= {"reg_write": int(self.reg.write is not None), "reg_wdata": self.reg.write or 0}
        if self.park:
            park = self.park
            pins |= {"park_valid": 1, "park_cbr": park.cbr, "park_va": park.va, "park_asid": park.asid, "park_ctx": park.ctx}
            pins |= {"park_indexway": park.indexway, "park_mod": int(park.mod), "park_ima_int": int(park.ima_int)}
            pins |= {"park_fault_bit": int(park.fault_bit), "park_int": int(park.interrupt), "park_core": park.core}
        if self.done:
            done = self.done
            pins |= {"done_valid": 1, "done_cbr": done.cbr, "done_int": int(done.interrupt), "done_bit": int(done.bit)}
            pins["done_core"] = done.core
        return pins

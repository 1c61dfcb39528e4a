"""Settings of the model: the memory's, the link's, what is recorded. Names and meaning as those of the harness (tb/hil/hil.h)."""

from __future__ import annotations

from dataclasses import dataclass

from hwif.gen import timing
from hwif.gen.hca import ENTRY_BYTES

__all__ = ["LIMITS", "MILLION", "HcaModelOptions"]

MILLION = 1_000_000


@dataclass(frozen=True)
class HcaModelOptions:
    """What a run of the model starts with; `HcaModel.configure` changes one of them later."""

    read_latency: int = timing.MEM_READ_LATENCY
    write_latency: int = timing.MEM_WRITE_LATENCY
    bytes_per_cycle: int = timing.MEM_BYTES_PER_CYCLE
    max_outstanding: int = timing.HCA_MAX_OUTSTANDING
    oracle: int = 1
    max_violations: int = 4096
    link_latency: int = timing.LINK_LATENCY
    link_cycles_per_flit: int = timing.LINK_CYCLES_PER_FLIT
    link_loss: int = 0
    """Packets lost, of a million."""
    link_corrupt: int = 0
    """Packets with a wrong bit, of a million."""
    link_truncate: int = 0
    """Packets cut short, of a million."""
    link_seed: int = 1


LIMITS = {
    "read_latency": (1, 1 << 30),
    "write_latency": (1, 1 << 30),
    "bytes_per_cycle": (1, ENTRY_BYTES),
    "max_outstanding": (1, 1 << 20),
    "oracle": (0, 1),
    "max_violations": (1, 1 << 30),
    "link_latency": (1, 1 << 15),
    "link_cycles_per_flit": (1, 255),
    "link_loss": (0, MILLION),
    "link_corrupt": (0, MILLION),
    "link_truncate": (0, MILLION),
    "link_seed": (0, (1 << 64) - 1),
    "link_fault": (0, (1 << 64) - 1),
}

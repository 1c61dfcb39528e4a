"""What the model takes over from the RTL (spec/timing.toml, [model]): sizes as in the source, latencies measured on both."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.chip import BASE, Chip, model, rtl

from hwif.fields import new_line
from hwif.gen import gru as g
from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.port import LineKind, MmioDone, MmioRead, MmioWrite
from spec.load import load_timing

ROOT = Path(__file__).resolve().parents[2]
Op = g.CbOpc
READ_LATENCY = 50


@pytest.fixture(params=[rtl, model], ids=["rtl", "model"])
def chip(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Chip:
    monkeypatch.setattr(Chip, "make", staticmethod(request.param))
    return Chip(log_lookups=1, read_latency=READ_LATENCY)


def answered(chip: Chip, request: MmioRead | MmioWrite) -> int:
    """Submit a request; the cycle in which the bus answers it."""
    chip.native.submit(request)
    while True:
        for event in chip.native.advance(chip.native.cycle + 1000):
            chip.log.append(event)
            if isinstance(event, MmioDone) and event.serial == request.serial:
                return event.cycle


def write(chip: Chip, addr: int, words: Sequence[int]) -> int:
    """Write; the cycle of the answer."""
    return answered(chip, MmioWrite(chip.native.cycle, chip.next_serial(), addr, tuple(words)))


def word(chip: Chip) -> int:
    taken = [answered(chip, MmioRead(chip.native.cycle, chip.next_serial(), g.TGH_BASE, 1 + more)) for more in (0, 0, 1)]
    return (taken[2] - taken[1]) - (taken[1] - taken[0])


def load(chip: Chip) -> tuple[int, int, int, int]:
    """A load that hits: cycles of the instruction's answer, its lookup's acceptance and answer, and its end."""
    chip.context(core=None)
    chip.do(chip.issue(0, 0, chip.instruction(Op.VLOAD, va=BASE, count=1)))
    chip.settle(100)
    chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE)
    chip.settle(200)
    chip.native.drain_lookups()
    chip.native.drain_trace()
    issued = write(chip, chip.cb_addr(0, 0), chip.instruction(Op.VLOAD, va=BASE, count=1))
    chip.settle(200)
    ((accepted, told, _, hit, _),) = chip.native.drain_lookups().tolist()
    ((done, *_),) = chip.events(TraceEvent.DEV_CB_DONE)
    assert hit
    return issued, accepted, told, done


def issue(chip: Chip) -> int:
    issued, accepted, _, _ = load(chip)
    return accepted - issued


def lookup(chip: Chip) -> int:
    _, accepted, told, _ = load(chip)
    return told - accepted


def access(chip: Chip) -> int:
    _, _, told, done = load(chip)
    return done - told - READ_LATENCY


def fault(chip: Chip) -> int:
    chip.context(core=None)
    chip.do(chip.issue(0, 0, chip.instruction(Op.VLOAD, va=BASE, count=1)))
    chip.settle(100)
    chip.native.drain_lookups()
    found = chip.lookup(0, BASE)
    assert found is not None
    given = write(chip, g.TFH_BASE, chip.fill_line(0, *found))
    chip.settle(200)
    return int(chip.native.drain_lookups()[0, 0]) - given


def shootdown(chip: Chip) -> int:
    chip.context()
    given = write(chip, g.TGH_BASE, chip.shootdown_line(0, BASE, 4))
    chip.settle(100)
    (probe,) = chip.snoops(LineKind.TGH)
    return probe - given


def context_command(chip: Chip, opc: g.CchOpc) -> int:
    line = new_line()
    g.Cch.cbr_allocation_map.put(line, 1)
    for command in (g.CchOpc.ALLOCATE, g.CchOpc.START):
        g.Cch.cmd.put(line, 1)
        g.Cch.opc.put(line, command)
        given = write(chip, g.CCH_BASE, line)
        chip.settle(100)
        if command is opc:
            break
    return chip.snoops(LineKind.CCH)[-1] - given


def allocate(chip: Chip) -> int:
    return context_command(chip, g.CchOpc.ALLOCATE)


def start(chip: Chip) -> int:
    return context_command(chip, g.CchOpc.START)


LATENCIES: dict[str, Callable[[Chip], int]] = {
    "MODEL_WORD": word,
    "MODEL_ISSUE": issue,
    "MODEL_LOOKUP": lookup,
    "MODEL_ACCESS": access,
    "MODEL_FAULT": fault,
    "MODEL_SHOOTDOWN": shootdown,
    "MODEL_ALLOCATE": allocate,
    "MODEL_START": start,
}
SIZES = {
    "MODEL_TLB_ENTRIES": r"TlbEntries\s*=\s*(\d+)",
    "MODEL_TLB_WAYS": r"TlbWays\s*=\s*(\d+)",
    "MODEL_SHOOT_SLOTS": r"\bShootSlots\s*=\s*(\d+)",
    "MODEL_FILL_SLOTS": r"FillSlots = (\d+)",
    "MODEL_SHOOT_LOG": r"ShootLog\s*=\s*(\d+)",
    "MODEL_LOG_BANKS": r"Banks = (\d+)",
    "MODEL_BUS_QUEUE": r"MemDepth = (\d+)",
    "MODEL_ATOMIC_QUEUE": r"am_mem \[(\d+)\]",
    "MODEL_POLL_BACKOFF": r"PollBackoff = (\d+)",
}


@pytest.mark.parametrize("name", LATENCIES)
def test_latencies_are_those_of_the_spec(chip: Chip, name: str) -> None:
    assert LATENCIES[name](chip) == getattr(timing, name)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_rtl(name: str) -> None:
    value, _what, source = load_timing()["model"][name]
    found = re.search(SIZES[name], (ROOT / source.split()[0]).read_text())
    assert found is not None and int(found[1]) == value


def test_every_number_of_the_table_is_checked() -> None:
    assert load_timing()["model"].keys() == LATENCIES.keys() | SIZES.keys()


def test_a_latency_that_drifts_shows() -> None:
    """A status that returns on acceptance is two cycles early."""
    assert shootdown(Chip(mutant=g.RtlMutant.ACK_EARLY, asserts=0)) < timing.MODEL_SHOOTDOWN

"""The HCA's RTL without driver or operating system as hunting grounds for mutants: its translation alone, beside the untimed
reference; and two adapters, queue pairs of every policy and every verb at once, pages that come and go under them, over links and
memories that no driver's program would choose.

Promises: an objection is the oracle's or the reference's, an assertion's, or a byte that is not what the work requests made it;
without a mutant there is none. The adapters run in this process (native) or in a simulator's (cocotb) and meet the same cycles; the
block is stepped in this process whatever the host. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from hwif.gen.hca import HcaMutant
from hwif.memory import HostMemory
from hwif.port import AssertionFailure
from hwif.shadow import Shadow
from tb.hca_xlt.checked import CheckedXlt, MismatchError
from tb.hca_xlt.races import race_of_fill
from tb.hca_xlt.rig import rig
from tb.hca_xlt.traffic import STYLES, Traffic
from tb.hil.abi import HcaOptions
from tb.hil.cocotb_host import Simulator, run_under_cocotb
from tb.hil.hca_bare import Bare, BareError, BareTarget
from tb.hil.hca_directed import lost_packet, refused_fault, stale_answer, unanswered_fault
from tb.hil.hca_mixed import mixed
from tb.hil.native import NativeHca

__all__ = ["GROUNDS", "Found", "objection"]

FRAMES = 4_000  # a node
NODES = 2
CYCLES = 2_500  # of random traffic


@dataclass(frozen=True)
class Found:
    """Who objected (an assertion by name, or "SVA" and its name in `what`; a rule of the oracle; "reference"; "BYTES"; "LIVENESS"),
    what was said, the cycle."""

    by: str
    what: str
    cycle: int


@dataclass(frozen=True)
class Adapters:
    """Two adapters on a link: a program, which raises when something is not as it must be, and their settings."""

    program: Callable[[Bare, int], Any]
    options: HcaOptions = field(default_factory=HcaOptions)

    def chosen(self, seed: int, mutant: int, asserts: bool) -> HcaOptions:
        """The settings of one run."""
        return replace(self.options, mutant=mutant, asserts=asserts, link_seed=seed)

    def judged(self, device: BareTarget, seed: int) -> Found | None:
        """Play; the first objection."""
        try:
            self.program(Bare(device), seed)
        except AssertionFailure as error:
            return Found("SVA", error.text, error.cycle)
        except (AssertionError, BareError) as error:
            said = device.violations()
            if said:
                return Found(said[0].reason.name, str(said[0]), said[0].cycle)
            return Found("LIVENESS" if "did not come" in str(error) else "BYTES", str(error), device.cycle)
        return None


def objection(ground: str, seed: int, mutant: int, asserts: bool, host: str = "native") -> Found | None:
    """Play one ground of GROUNDS on a host, "native" or "cocotb"; the first objection, None if there is none."""
    if ground in BLOCK:
        return BLOCK[ground](seed, HcaMutant(mutant), asserts)
    if host == "cocotb":
        order = (ground, seed, mutant, asserts)
        found: Found | None = run_under_cocotb("shootdown.hca_alone:cocotb_session", order, nodes=NODES)
        return found
    adapters = ADAPTERS[ground]
    with NativeHca(_places(), adapters.chosen(seed, mutant, asserts)) as device:
        return adapters.judged(device, seed)


async def cocotb_session(simulator: Simulator, order: tuple[str, int, int, bool]) -> Found | None:
    """Entry point inside the simulator's process."""
    ground, seed, mutant, asserts = order
    adapters = ADAPTERS[ground]
    device = simulator.hca(_places(), adapters.chosen(seed, mutant, asserts))
    return await simulator.synchronous(device, lambda device: adapters.judged(device, seed))


def _places() -> list[tuple[HostMemory, Shadow]]:
    return [(HostMemory(FRAMES), Shadow(FRAMES)) for _ in range(NODES)]


def _translation(style: str, seed: int, mutant: HcaMutant, asserts: bool) -> Found | None:
    """Random traffic on hca_xlt, many of its requests wrong."""
    xlt = CheckedXlt(mutant=mutant, seed=seed)
    try:
        Traffic(xlt, seed, replace(STYLES[style], wrong=0.3)).run(CYCLES)
        return _of_block(xlt, asserts)
    except MismatchError as error:
        return Found("reference", str(error), xlt.now)
    finally:
        xlt.dut.close()


def _walk_races(_seed: int, mutant: HcaMutant, asserts: bool) -> Found | None:
    with rig(mutant=mutant, check=False) as xlt:
        race_of_fill(xlt)
        return _of_block(xlt, asserts)


def _of_block(xlt: CheckedXlt, asserts: bool) -> Found | None:
    failed = sorted(xlt.dut.failed) if asserts else []
    return Found(f"assertion {failed[0]}", f"failed on the block alone: {', '.join(failed)}", xlt.now) if failed else None


LOSSY_LINK = HcaOptions(link_loss=10_000, link_corrupt=10_000, link_truncate=5_000)
CROWD = partial(mixed, rounds=5, pairs=10, moves=24)

ADAPTERS: Mapping[str, Adapters] = {
    "mixed": Adapters(mixed),
    "crowded": Adapters(CROWD, HcaOptions(link_latency=10, read_latency=200)),
    "lossy": Adapters(partial(mixed, rounds=6), LOSSY_LINK),
    "narrow": Adapters(partial(mixed, pairs=10), HcaOptions(bytes_per_cycle=8)),
    "slow writes": Adapters(CROWD, HcaOptions(write_latency=4_000, link_latency=10)),
    "lost packet": Adapters(lost_packet),
    "refused fault": Adapters(refused_fault),
    "unanswered fault": Adapters(unanswered_fault),
    "stale answer": Adapters(stale_answer),
}
BLOCK: Mapping[str, Callable[[int, HcaMutant, bool], Found | None]] = {
    "translation in storms": partial(_translation, "storms"),
    "translation crowded": partial(_translation, "crowded"),
    "translation with new keys": partial(_translation, "keys"),
    "walk races": _walk_races,
}
GROUNDS = (*ADAPTERS, *BLOCK)
"""What is played, by name."""

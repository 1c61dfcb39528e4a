"""The whole adapter in RTL: what only shows when its blocks are together. Its behaviour is tested where every host plays it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.hca_chip import A_VA, B_VA, PAGE, Pair
from support.hca_hosts import HcaCase, open_device

from hwif.gen import hca as h
from hwif.port import AssertionFailure
from tb.hil.abi import HcaOptions
from tb.hil.hca_bare import Bare

WRITES = 12
SIZE = 3 * PAGE + 100


@contextmanager
def pair(**options: int) -> Iterator[Pair]:
    """Two nodes with a region each and a connected queue pair."""
    device = open_device(HcaCase("", options=HcaOptions(**options)), "native")
    try:
        yield Pair(on=Bare(device))
    finally:
        device.close()


def stream(it: Pair) -> None:
    """WRITEs one way, READs of what they do not touch the other way; not waited for."""
    for number in range(WRITES):
        it.qa.write(it.ka, A_VA + number, it.kb, B_VA, SIZE, signaled=0)
        it.qb.read(it.kb, B_VA + 6 * PAGE, it.ka, A_VA + 6 * PAGE + number, SIZE, signaled=0)


@pytest.mark.parametrize("delay", [0, 37, 150, 400, 900, 2000, 5000])
def test_off_and_on_in_the_middle_of_traffic(delay: int) -> None:
    """Answers to accesses of before the restart confuse nobody, though memory is slower than the restart."""
    with pair(read_latency=3000, write_latency=4000, link_latency=40) as it:
        stream(it)
        it.bare.sleep(delay)
        for node in it.bare.nodes:
            node.restart()
        it.qa, it.qb = it.bare.pair(it.a, it.b, 5)
        wanted = it.a.peek(it.ka, A_VA, SIZE)
        it.qa.write(it.ka, A_VA, it.kb, B_VA, SIZE)
        it.ok()
        assert it.b.peek(it.kb, B_VA, SIZE) == wanted
        it.qb.read(it.kb, B_VA + 6 * PAGE, it.ka, A_VA + 6 * PAGE, SIZE)
        assert it.bare.wait(it.qb)[0]["status"] == h.WcStatus.SUCCESS
        assert it.b.peek(it.kb, B_VA + 6 * PAGE, SIZE) == it.a.peek(it.ka, A_VA + 6 * PAGE, SIZE)


@pytest.mark.parametrize(
    ("mutant", "label"), [(h.HcaMutant.AXI_UNSTABLE, "axi_w_stable")], ids=lambda value: getattr(value, "name", None)
)
def test_broken_variants_are_caught(mutant: h.HcaMutant, label: str) -> None:
    """A memory that takes an eighth of a line a cycle makes writes wait."""
    with pair(bytes_per_cycle=8) as it:
        stream(it)
        it.bare.sleep(20_000)
    with pair(bytes_per_cycle=8, mutant=int(mutant)) as it, pytest.raises(AssertionFailure, match=label):
        stream(it)
        it.bare.sleep(20_000)

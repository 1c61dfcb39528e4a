"""`bench.hca`: its numbers reach what they are to reach, repeat, and move when the RTL gets worse."""

from __future__ import annotations

import pytest

from bench import hca, hca_xlt
from bench.errors import MeasureError
from hwif.gen import hca as h
from shootdown.commands.bench import HCA_REACH, flatten, run_rtl
from shootdown.errors import InputError
from tb.hil.abi import HcaOptions


def reached(**numbers: float) -> None:
    for key, value in numbers.items():
        assert HCA_REACH[key].met(value) == "yes", f"{key} is {value}"


def test_large_transfers_fill_the_link() -> None:
    write, read = hca.share(h.WrOpcode.RDMA_WRITE, 4), hca.share(h.WrOpcode.RDMA_READ, 8)
    reached(write_share=write, read_share=read)
    assert write <= 1.001 and read <= 1.001, "more than the link carries"


def test_numbers_repeat() -> None:
    first = hca.small_write()
    reached(cycles_per_small_write=first)
    assert first == hca.small_write()


def test_an_endless_fault_costs_others_nothing() -> None:
    reached(others_share_while_faulting=hca.others_share())


def test_a_storm_loses_and_repeats_nothing() -> None:
    """512 of the 4,096: the queue is eight times too small all the same."""
    assert hca.storm(512) == {"faults": 512, "lost": 0, "duplicated": 0, "resumed": 512}


@pytest.mark.parametrize(("name", "pages"), [("1", 1), ("512", 512), ("key", None)])
def test_invalidations_are_fast_and_constant(name: str, pages: int | None) -> None:
    accepted, fence = hca.idle_invalidation(pages)
    assert accepted >= 0 and HCA_REACH["invalidate_dead_cycles_max"].met(accepted + hca_xlt.dead(name)) == "yes"
    assert HCA_REACH[f"invalidate_fence_cycles.{name}"].met(fence) == "yes"
    assert (accepted, fence) == hca.idle_invalidation(1)


def test_the_line_follows_the_record() -> None:
    reached(record_to_irq_cycles=hca.record_to_irq())


def test_an_invalidation_of_nothing_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hca, "of", lambda records, event: records[:0])
    with pytest.raises(MeasureError, match="covered nothing"):
        hca.idle_invalidation(1)


def test_slow_memory_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fence is fetched by itself or with the invalidation; its own write is what slow writes must not be waited for twice."""
    fast = hca.idle_invalidation(1)
    monkeypatch.setattr(hca, "IDLE", HcaOptions(read_latency=1, write_latency=50))
    assert hca.idle_invalidation(1)[1] >= fast[1] + 40


def test_a_slow_link_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cycles a flit: half the rate."""
    slow = HcaOptions(link_cycles_per_flit=2)
    real = hca.chip
    monkeypatch.setattr(hca, "chip", lambda *_args, **_more: real(slow))
    assert hca.share(h.WrOpcode.RDMA_WRITE, 4) == pytest.approx(0.5, abs=0.02)


def test_a_device_that_does_not_exist() -> None:
    with pytest.raises(InputError, match="no such device"):
        run_rtl(as_json=True, device="hac")


def test_every_number_has_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hca, "storm", lambda: dict.fromkeys(("faults", "lost", "duplicated", "resumed"), 0))
    monkeypatch.setattr(hca, "others_share", lambda: 1.0)
    monkeypatch.setattr(hca, "share", lambda *_: 1.0)
    assert flatten(hca.measure()).keys() == HCA_REACH.keys()

"""The driver's scenes on the RTL: the same software, the same oracle, two real adapters and the wire between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.hca_rig import Nodes, Rig
from support.hca_scenes import Churn, Stream

from hwif.gen.hca import WrOpcode
from hwif.port import NodesDevice, ViolationReason
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.drivers.hca.policy import Mutant
from tb.hil.native import NativeHca


class Rtl:
    """Makes devices, and closes them when the test is over."""

    def __init__(self) -> None:
        self.made: list[NativeHca] = []

    def __call__(self, nodes: Nodes) -> NodesDevice:
        self.made.append(NativeHca(nodes))
        return self.made[-1]


@pytest.fixture
def rtl() -> Iterator[Rtl]:
    devices = Rtl()
    yield devices
    for device in devices.made:
        device.close()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_traffic_over_memory_that_is_taken_away_meanwhile(rtl: Rtl, seed: int, implicit: bool) -> None:
    rig = Rig(frames=512, seed=seed, device=rtl)
    print(f"seed {seed}")
    churn = Churn(rig, seed, implicit=implicit)
    churn.play()
    assert tuple(rig.device.violations()) == ()
    assert churn.done == churn.operations
    assert rig.b.driver.stats.invalidated_pages > 0
    assert rig.device.statistics()["checked_beats"] > 1000


@pytest.mark.parametrize("opcode", [WrOpcode.RDMA_WRITE, WrOpcode.RDMA_READ])
def test_accesses_in_flight_when_their_page_goes(rtl: Rtl, opcode: WrOpcode) -> None:
    rig = Rig(frames=512, device=rtl)
    stream = Stream(rig, opcode=opcode)
    rig.run(stream.body())
    assert tuple(rig.device.violations()) == ()
    assert stream.completed > 0


@pytest.mark.parametrize("mutant", ["no_invalidate", "free_before_fence", "ignore_sequence"])
def test_a_broken_driver_is_caught_on_the_rtl_as_on_the_model(rtl: Rtl, mutant: Mutant) -> None:
    for seed in range(4):
        rig = Rig(DriverPolicy(mutant=mutant), frames=512, seed=seed, device=rtl)
        churn = Stream(rig, rounds=40) if mutant == "free_before_fence" else Churn(rig, seed)
        try:
            rig.run(churn.body())
        except AssertionError:
            return  # contents that nobody wrote
        violations = rig.device.violations()
        if violations:
            assert violations[0].reason in (ViolationReason.REVOKED, ViolationReason.READ_ONLY)
            return
    pytest.fail(f"not caught: {mutant}")

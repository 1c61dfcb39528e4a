"""What is the model's own: refusals with one clear line, and runs that depend on nothing but their seed."""

from __future__ import annotations

import pytest
from support.hca_chip import A_VA, B_VA, Pair, bare

from hwif.memory import HostMemory
from hwif.port import DeviceError, MmioRead
from hwif.shadow import Shadow
from pymodels.hca import HcaModel, HcaModelOptions


def test_requests_the_port_refuses() -> None:
    device = bare(1).device
    for request, text in (
        (MmioRead(device.cycle, 1, 512, 1), "outside the register block"),
        (MmioRead(device.cycle, 2, 4, 1), "multiple of 8"),
        (MmioRead(device.cycle, 3, 0, 9), "1 to 8 double-words"),
        (MmioRead(device.cycle, 4, 0, 1, 1), "no node 1"),
        (MmioRead(0, 5, 0, 1), "in the past"),
    ):
        with pytest.raises(DeviceError, match=text):
            device.submit(request)


def test_settings_the_model_refuses() -> None:
    nodes = [(HostMemory(16), Shadow(16))]
    with pytest.raises(DeviceError, match=r"link_loss must lie in 0\.\.1000000, not 1000001"):
        HcaModel(nodes, HcaModelOptions(link_loss=1_000_001))
    with pytest.raises(DeviceError, match="no setting 'speed'"):
        HcaModel(nodes).configure("speed", 1)
    with pytest.raises(DeviceError, match="one or two nodes, not 3"):
        HcaModel(3 * nodes)


def test_same_seed_same_run() -> None:
    def digest(seed: int) -> list[list[int]]:
        pair = Pair(link_loss=30_000, link_corrupt=10_000, link_seed=seed, qp={"mtu_shift": 8})
        for _ in range(10):
            pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 5000)
            pair.ok()
        return pair.bare.device.drain_trace().tolist()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)

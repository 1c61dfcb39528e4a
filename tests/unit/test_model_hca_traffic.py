"""Random traffic while pages go and come, over a good and a bad wire (support/hca_traffic.py)."""

from __future__ import annotations

import pytest
from support import hca_traffic


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("nodes", [1, 2])
def test_every_byte_arrives_while_pages_move(nodes: int, seed: int) -> None:
    print(f"seed {seed}")
    counters = hca_traffic.run(seed, 150, nodes).statistics()
    assert counters["faults"] + counters.get("b_faults", 0) > 20
    assert counters["kills"] + counters.get("b_kills", 0) > 20


@pytest.mark.parametrize("seed", range(6))
def test_every_byte_arrives_over_a_bad_wire(seed: int) -> None:
    print(f"seed {seed}")
    counters = hca_traffic.run(seed, 100, link_loss=20_000, link_corrupt=10_000, link_truncate=10_000).statistics()
    assert min(counters[f"link_{fate}"] for fate in ("lost", "corrupted", "truncated")) > 1
    assert counters["faults"] + counters["b_faults"] > 10

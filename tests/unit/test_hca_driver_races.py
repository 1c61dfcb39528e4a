"""Races of the driver with the address space: churn over many seeds, and the pain points of facts that are races."""

from __future__ import annotations

import pytest
from support.hca_rig import Rig
from support.hca_scenes import Churn


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_traffic_over_memory_that_is_taken_away_meanwhile(seed: int, implicit: bool) -> None:
    rig = Rig(frames=512, seed=seed)
    print(f"seed {seed}")
    churn = Churn(rig, seed, implicit=implicit)
    churn.play()
    assert not rig.device.violations()
    assert churn.done == churn.operations
    stats = rig.b.driver.stats
    assert stats.invalidated_pages > 0
    assert stats.invalidate_page > 0
    assert stats.invalidate_range > 0
    assert stats.tables_alloc == stats.tables_free
    assert rig.b.driver.space  # the driver survived its processes
    assert not rig.b.shadow.regions.any()

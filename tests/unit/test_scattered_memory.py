"""Memory whose frames lie anywhere: bytes, records and the oracle's judgement are of the frame that was named."""

from __future__ import annotations

import pytest

from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import Need
from hwif.gen.port import REGION_LOCAL_READ
from hwif.memory import FRAME_BYTES, HostMemory
from hwif.shadow import READ
from tb.uvm.hca.scattered import ScatteredMemory, ScatteredOracle, ScatteredShadow

FRAMES = 64


def test_rows_of_frames_lie_anywhere_and_keep_their_bytes() -> None:
    memory = ScatteredMemory(FRAMES, "seed")
    first, second = memory.scatter(1, 3, 1), memory.scatter(4, 8, 8)
    assert (
        second % 8 == 0
        and first >> 32
        and (first, second)
        == (
            (again := ScatteredMemory(FRAMES, "seed")).scatter(1, 3, 1),
            again.scatter(4, 8, 8),
        )
    )
    data = bytes(range(200))
    memory.write((first + 1 << PAGE_SHIFT) - 100, data)  # over an edge
    assert memory.read((first + 1 << PAGE_SHIFT) - 100, 200) == data
    assert memory.frame(first + 1)[:100].tobytes() == data[100:]
    memory.copy_frame(first, second)
    assert memory.read((second + 1 << PAGE_SHIFT) - 100, 100) == data[:100]


def test_what_was_not_placed_is_nowhere() -> None:
    memory = ScatteredMemory(FRAMES, "seed")
    first = memory.scatter(1, 2, 1) << PAGE_SHIFT
    end = first + 2 * FRAME_BYTES
    assert memory.holds(first, 2 * FRAME_BYTES) and not memory.holds(first - 1) and not memory.holds(end - 1, 2)
    for wrong in (first - 1, end, FRAME_BYTES):
        with pytest.raises(IndexError):
            memory.read(wrong, 1)
    with pytest.raises(IndexError):
        memory.write(end - 1, b"ab")


def test_plain_memory_holds_what_it_has() -> None:
    memory = HostMemory(2)
    assert memory.holds(0, 2 * FRAME_BYTES) and not memory.holds(1, 2 * FRAME_BYTES) and not memory.holds(-1)


def test_the_oracle_lets_pass_what_was_granted_and_nothing_else() -> None:
    memory = ScatteredMemory(FRAMES, "seed")
    shadow = ScatteredShadow(memory)
    oracle = ScatteredOracle(memory, shadow)
    kernel, user, other = memory.scatter(1, 1, 1), memory.scatter(2, 1, 1), memory.scatter(3, 1, 1)
    va = 5 << PAGE_SHIFT
    shadow.grant_kernel(kernel)
    shadow.set_region(7, 1, 9, va, va + FRAME_BYTES, REGION_LOCAL_READ)
    shadow.set_queue_pair(3, 9)
    shadow.grant(user, 1, 5, READ)

    def objects(frame: int, *, own: bool = False) -> bool:
        before = oracle.violations
        if own:
            oracle.check_own(1, frame << PAGE_SHIFT, 64, write=False)
        else:
            oracle.check(1, 3, 7, Need.LOCAL_READ, va, frame << PAGE_SHIFT, 64, write=False)
        return oracle.violations != before

    assert not objects(kernel, own=True) and not objects(user)
    assert objects(user, own=True) and objects(other) and objects(kernel)
    assert shadow.rights(user, 1, 5) == READ and shadow.revoke_run(1, 5, [user, -1]) == []
    assert objects(user) and shadow.revoke_run(1, 5, [user]) == [5]
    shadow.revoke_kernel(kernel)
    assert objects(kernel, own=True)

"""A page that leaves memory as clean while its bytes are saved nowhere: somebody stored to it and told nobody (MN-6)."""

from __future__ import annotations

import pytest
from mm_rig import PAGE, Rig

from hwif.gen.events import TraceEvent
from sw_stack.mm.pagetable import VALUE_SHIFT
from sw_stack.notifier import NotifierError

BASE = 0x10_0000_0000
READ, RW = 1, 3


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
@pytest.mark.parametrize("what", ["swap", "file", "file never written"])
def test_a_device_that_stores_and_tells_nobody_is_met(what: str, told: bool) -> None:
    rig = Rig(frames=64)
    machine = rig.machine
    mm = machine.new_mm("a")

    async def everything_goes() -> None:
        while await machine.reclaim(8):
            pass

    async def body() -> None:
        file = None if what == "swap" else machine.new_file("data", 1)
        await mm.mmap(BASE, PAGE, RW if file is None else READ, fixed=True, file=file, shared=file is not None)
        if what == "swap":
            await mm.store(BASE, b"before")
            await everything_goes()
        elif what == "file":
            assert file is not None
            file.store[0] = b"before".ljust(PAGE, b"\0")
        await mm.load(BASE, 6)  # in memory, and the same in swap or in the file
        frame = machine.frames[mm.page_table.get(BASE // PAGE) >> VALUE_SHIFT]
        machine.memory.write(frame.pfn * PAGE, b"device")
        if told:
            machine.set_page_dirty(frame)
        await everything_goes()
        assert await mm.load(BASE, 6) == b"device"

    if told:
        rig.run(body())
        return
    with pytest.raises(NotifierError, match=r"^MN-6: frame \d+ leaves memory as clean with bytes that neither swap nor its file"):
        rig.run(body())


def test_a_page_that_is_clean_goes_without_a_word() -> None:
    rig = Rig(frames=64)
    machine = rig.machine
    mm = machine.new_mm("a")

    async def body() -> None:
        await mm.mmap(BASE, PAGE, RW, fixed=True)
        await mm.store(BASE, b"before")
        for _ in range(3):
            while await machine.reclaim(8):
                pass
            assert await mm.load(BASE, 6) == b"before"

    rig.run(body())
    assert len(rig.seen(TraceEvent.VM_SWAP_OUT)) == 1, "its bytes were in swap already"

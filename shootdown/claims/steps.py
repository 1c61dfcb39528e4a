"""What the experiments do again and again."""

from __future__ import annotations

import errno

from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import Mr
from sw_stack.mm import Mm, MmError
from sw_stack.workloads.hca_stage import HcaStage, Port

__all__ = ["due", "stored", "written"]


def due(turn: int, rate: int, of: int = 1000) -> bool:
    """True in `rate` of each `of` turns, at even distances."""
    return turn * rate // of > (turn - 1) * rate // of


async def stored(mm: Mm, address: int, *, killable: bool = False) -> bool:
    """Store to a page; False if there is no memory for it. `killable`: False as well if the OOM killer has taken the process. All
    else is an MmError."""
    try:
        await mm.store(address, b"work")
    except MmError as error:
        if error.errno == errno.ENOMEM or (killable and error.errno == errno.EFAULT):
            return False
        raise
    return True


async def written(stage: HcaStage, port: Port, local: Mr, address: int, count: int, remote: Mr, remote_address: int) -> None:
    """RDMA WRITE, waited for; that it does not succeed is wrong data."""
    status = await port.write(local, address, count, remote, remote_address)
    stage.check(status is WcStatus.SUCCESS, f"write from {address:#x}", remote_address, status.name)

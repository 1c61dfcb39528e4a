"""Those who attach what a source has offered: what the tests of XPMEM's calls and of its driver share."""

from __future__ import annotations

from typing import Any

from support.xpmem_rig import PAGE, Share, Where

from sw_stack.drivers.xpmem import XpmemPolicy

ELSEWHERE = 0x20_0000_0000
"""Where no source has anything."""

TODAY = XpmemPolicy(style="today")


async def touch(share: Share, where: Where, pages: int = 4) -> Any:
    """A user that has stored to every page."""
    user, attachment = await share.user(where)
    for page in range(pages):
        await user.store(attachment.vaddr + page * PAGE, b"user")
    return user, attachment

"""The lines that a driver writes to handles: shootdowns, drop-ins, and commands of fault handles without one."""

from __future__ import annotations

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from tb.uvm.gru.spaces import Page, Space

__all__ = ["drop_in", "fault_command", "shootdown"]


def shootdown(asid: int, vpn: int, n: int, *, size: int = 0, contexts: int | None = None) -> Line:
    """n + 1 pages of a size; `contexts`: all of theirs instead."""
    line = new_line()
    g.Tgh.cmd.put(line, 1)
    g.Tgh.opc.put(line, g.TghOpc.TLBINV)
    g.Tgh.vaddr.put(line, vpn << g.PAGE_SHIFT)
    g.Tgh.asid.put(line, asid)
    g.Tgh.pagesize.put(line, size)
    g.Tgh.vaddrmask.put(line, (1 << g.Tgh.vaddrmask.width) - 1)
    g.Tgh.n.put(line, n)
    g.Tgh.is_global.put(line, int(contexts is not None))
    g.Tgh.ctxbitmap.put(line, contexts or 0)
    return line


def fault_command(opc: g.TfhOpc) -> Line:
    """Of a fault handle."""
    line = new_line()
    g.Tfh.cmd.put(line, 1)
    g.Tfh.opc.put(line, opc)
    return line


def drop_in(space: Space, page: Page, opc: g.TfhOpc, *, dirty: bool) -> Line:
    """A fault handle's command with a translation."""
    line = fault_command(opc)
    g.Tfh.fillasid.put(line, space.asid(page.vpn >> g.REGION_LSB - g.PAGE_SHIFT))
    g.Tfh.fillvaddr.put(line, page.vpn << g.PAGE_SHIFT)
    g.Tfh.pfn.put(line, page.frame)
    g.Tfh.pagesize.put(line, page.size)
    g.Tfh.gaa.put(line, page.gaa)
    g.Tfh.dirty.put(line, int(dirty))
    return line

"""The base of tests that say themselves what must come of a command."""

from __future__ import annotations

from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.gru.software import User
from tb.uvm.gru.tests.base import SoftwareTest

__all__ = ["Scene"]


class Scene(SoftwareTest):
    """Checks of what a scene is about."""

    def must(self, what: str, found: object, wanted: object) -> None:
        """Or the scene has missed its subject."""
        if found != wanted:
            self.env.handles.object_at(self.now(), "scene", f"{what}: {found}, not {wanted}")

    async def refused(self, user: User, opc: int, cause: g.CchCause, **fields: int) -> None:
        """A context command with these fields must fail with this cause."""
        before = list(user.line)
        for name, value in fields.items():
            getattr(g.Cch, name).put(user.line, value)
        line = list(user.line)
        g.Cch.cmd.put(line, 1)
        g.Cch.opc.put(line, opc)
        word = await self.software.command(LineKind.CCH, user.ctx, line)
        found = (g.Cch.status.of(word), g.Cch.cause.of(word))
        self.must(f"context {user.ctx}, opcode {opc}", found, (g.HandleStatus.EXCEPTION, cause))
        user.line = before

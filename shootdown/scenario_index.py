"""Every scenario of every device by its name: a name is one device's alone.

Promises: `names` costs no import of a scenario.
"""

from __future__ import annotations

from typing import Any

from sw_stack.workloads import hca_scenarios, scenarios

__all__ = ["describe", "device_of", "names"]


def names(device: str | None = None) -> list[str]:
    """The scenarios of a device, in order; of all, the GRU's first."""
    of = {"gru": scenarios.names, "hca": hca_scenarios.names}
    return [name for kind, listed in of.items() if device in (None, kind) for name in listed()]


def device_of(name: str) -> str:
    """Whose scenario it is."""
    return "hca" if name in hca_scenarios.names() else "gru"


def describe(name: str) -> dict[str, Any]:
    """name, device, title, description, and what it needs: frames (the HCA's: of both systems), control_blocks (GRU)."""
    if device_of(name) == "hca":
        remote = hca_scenarios.load(name)
        return {
            "name": name,
            "device": "hca",
            "title": remote.title,
            "description": remote.description,
            "frames": list(remote.needs.frames),
        }
    local = scenarios.load(name)
    return {
        "name": name,
        "device": "gru",
        "title": local.title,
        "description": local.description,
        "frames": local.frames,
        "control_blocks": local.needs.cbrs,
    }

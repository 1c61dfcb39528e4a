"""The rules of docs/hca.md on the RTL: every functional test of the model's, on the chip."""

from __future__ import annotations

from typing import Any

import pytest
from support.hca_chip import Made
from test_model_hca_commands import *  # noqa: F403 - collected here once more
from test_model_hca_faults import *  # noqa: F403
from test_model_hca_translation import *  # noqa: F403
from test_model_hca_wire import *  # noqa: F403

from tb.hil.abi import HcaOptions
from tb.hil.native import NativeHca


def rtl(nodes: Any, **options: int) -> Any:
    """The RTL on the native host."""
    return NativeHca(nodes, HcaOptions(**options))


@pytest.fixture(autouse=True)
def _on_the_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Made, "make", staticmethod(rtl))

"""The model's instructions: every functional test of the RTL's, on the model."""

from __future__ import annotations

import pytest
from support.chip import Chip, model
from test_rtl_gru import *  # noqa: F403 - collected here once more


@pytest.fixture(autouse=True)
def _on_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chip, "make", staticmethod(model))

"""Every assertion fails when what it forbids happens, and not before: rtl/props is shown both, apart from the RTL it watches.

`test_it_fails[LABEL]` is the proof for a label. That sound RTL never makes them fail is what all other tests show.
"""

from __future__ import annotations

import pytest
from support.assertion_cases import Case
from support.assertion_cases_gru import CASES as GRU
from support.assertion_cases_hca import CASES as HCA
from support.assertion_cases_hca_data import CASES as HCA_DATA
from support.props_alone import Props, labels

LABELS = labels()
ALL = (*GRU, *HCA, *HCA_DATA)
CASES: dict[str, list[Case]] = {}
for _case in ALL:
    CASES.setdefault(_case.label, []).append(_case)


@pytest.fixture(scope="module")
def props() -> Props:
    """All modules of rtl/props in one model."""
    plays: dict[str, list[str]] = {}
    for case in ALL:
        plays.setdefault(case.module, []).extend((*case.good, *case.bad))
    return Props(plays)


def test_every_assertion_has_a_case_and_every_case_an_assertion() -> None:
    """A label that two files have needs a case for each."""
    assert sorted(CASES) == sorted(LABELS)
    for label, cases in CASES.items():
        assert len(cases) == len(LABELS[label]), f"{label} stands in {sorted(LABELS[label])}"


@pytest.mark.parametrize("label", sorted(LABELS))
def test_it_fails(props: Props, label: str) -> None:
    for case in CASES[label]:
        for play in case.good:
            assert props.play(case.module, play) == set(), f"{case.module}: {play}"
        for play in case.bad:
            assert props.play(case.module, play) == {label} | case.also, f"{case.module}: {play}"


def test_a_play_of_inputs_that_are_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no module nothing_props"):
        Props({"nothing_props": ["-"]})

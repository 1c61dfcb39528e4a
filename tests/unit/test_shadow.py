"""The oracle's shadow against a plain dictionary, and its limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwif.shadow import KERNEL, MAX_MM, READ, WRITE, Shadow, ShadowError

FRAMES = 4
STEP = st.tuples(
    st.booleans(),
    st.integers(0, FRAMES - 1),
    st.sampled_from([1, 2, MAX_MM]),
    st.integers(0, 2),
    st.sampled_from([READ, READ | WRITE]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_shadow_is_a_map_from_frame_space_and_page_to_rights(steps: list[tuple[bool, int, int, int, int]]) -> None:
    shadow, model = Shadow(FRAMES, pool=64), dict[tuple[int, int, int], int]()
    for grant, frame, mm, vpn, rights in steps:
        key = (frame, mm, vpn)
        if grant:
            shadow.grant(*key, rights)
            model[key] = rights
        else:
            assert shadow.revoke(*key) == (model.pop(key, None) is not None)
        for f in range(FRAMES):
            for m in (1, 2, MAX_MM):
                for v in range(3):
                    assert shadow.rights(f, m, v) == model.get((f, m, v), 0)
    for frame, mm, vpn in list(model):
        assert shadow.revoke(frame, mm, vpn)
    assert not shadow.words.any(), "every record returned"


def test_full_pool_is_an_error_not_a_lost_record() -> None:
    shadow = Shadow(1, pool=1)
    shadow.grant(0, 1, 1, READ)
    shadow.grant(0, 1, 2, READ)
    with pytest.raises(ShadowError, match="more mappings"):
        shadow.grant(0, 1, 3, READ)


def test_address_space_zero_and_too_large_are_refused() -> None:
    shadow = Shadow(1)
    for mm in (0, MAX_MM + 1):
        with pytest.raises(ShadowError, match="outside"):
            shadow.grant(0, mm, 0, READ)


def test_kernel_mark_excludes_user_records() -> None:
    shadow = Shadow(2)
    shadow.grant_kernel(0)
    assert shadow.words[0, 1] == KERNEL
    shadow.revoke_kernel(0)
    shadow.grant(1, 1, 0, READ)
    with pytest.raises(ShadowError, match="mapped by a user"):
        shadow.grant_kernel(1)

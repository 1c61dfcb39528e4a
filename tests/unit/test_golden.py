"""The golden contents: what is compared, and what is known to prove nothing."""

from __future__ import annotations

from sw_stack.workloads.golden import Golden

PAGE = 4096


def test_reads_and_writes_cross_pages() -> None:
    golden = Golden()
    golden.write(PAGE - 2, b"abcd")
    assert golden.read(PAGE - 3, 6) == b"\0abcd\0"
    assert golden.pages() == [0, 1]


def test_unmapped_pages_read_zero_and_moved_pages_move() -> None:
    golden = Golden()
    golden.write(0, b"one")
    golden.write(PAGE, b"two")
    golden.move(0, 8 * PAGE, 2 * PAGE)
    assert golden.read(0, 3) == bytes(3)
    assert golden.read(9 * PAGE, 3) == b"two"
    golden.drop(9 * PAGE, 10 * PAGE)
    assert golden.read(9 * PAGE, 3) == bytes(3)
    assert golden.read(8 * PAGE, 3) == b"one"


def test_another_write_makes_an_operation_racy_its_own_does_not() -> None:
    golden = Golden()
    operation = golden.begin([1], [2])
    golden.write(2 * PAGE, b"mine", by=operation)
    assert not operation.racy
    golden.write(PAGE, b"theirs")
    assert operation.racy
    assert not operation.unmapped


def test_two_readers_agree_a_writer_disturbs_both_ways() -> None:
    golden = Golden()
    first, second = golden.begin([1], []), golden.begin([1], [])
    assert not first.racy and not second.racy
    writer = golden.begin([], [1])
    assert first.racy and second.racy and writer.racy


def test_a_mapping_that_changes_excuses_operations_begun_before_and_during() -> None:
    golden = Golden()
    before, elsewhere = golden.begin([1], []), golden.begin([5], [])
    with golden.changing(PAGE, 2 * PAGE):
        during = golden.begin([1], [])
    after = golden.begin([1], [])
    assert before.unmapped and during.unmapped
    assert not after.unmapped and not elsewhere.unmapped


def test_a_fork_knows_nothing_of_pages_written_meanwhile() -> None:
    golden = Golden()
    golden.begin([], [7])
    with golden.watching() as written:
        golden.write(PAGE, b"x")
    child = golden.fork(written)
    assert not child.known(1) and not child.known(7) and child.known(2)
    golden.write(2 * PAGE, b"parent")
    assert child.read(2 * PAGE, 6) == bytes(6)


def test_ended_operations_are_forgotten() -> None:
    golden = Golden()
    operation = golden.begin([1], [])
    golden.end(operation)
    golden.write(PAGE, b"x")
    assert not operation.racy


def test_a_page_moved_under_a_device_write_is_unknown_until_it_is_adopted() -> None:
    golden = Golden()
    golden.write(PAGE, b"x")
    golden.begin([], [1])
    golden.move(PAGE, 8 * PAGE, PAGE)
    assert not golden.known(8)
    assert golden.begin([8], []).racy
    golden.write(8 * PAGE, bytes(PAGE))
    assert golden.known(8)

"""What tasks share, as far as the order in which they use it matters to a search over orders.

Whoever reads or writes something that another task may change says so, `sched.touch(thing)`, before it does, with no await between.
Locks and wait queues do it themselves; what is guarded by a lock needs no more. Only what is used without one has to say it. A
plain scheduler does not listen; SteeredScheduler makes of it a number that is equal for orders that cannot be told apart.
"""

from __future__ import annotations

__all__ = ["Shared"]


class Shared:
    """Something that several tasks use. `stamp` is the history of its users, `round` the run it belongs to."""

    stamp: int = 0
    round: int = -1

"""The software above one kind of device: what a session needs to know of it, whichever it is.

`gru.py` and `hca.py` each build one. A job says what is to be played and how the software for it is made.
"""

from shootdown.software.base import Job, Software, Tally, Workload

__all__ = ["Job", "Software", "Tally", "Workload"]

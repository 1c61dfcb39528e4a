"""One timeline of a run, from the VM's operation to the state of the RTL and back, as a file for Perfetto's viewer.

`Timeline` collects the records of a run and writes them (encode.py) as the story they tell (story.py, software.py, device.py);
`read.py` reads such a file back, `picture.py` draws a window of one, `savefiles.py` opens the waveform at the same cycle.
"""

from shootdown.timeline.collect import LIMIT_BYTES, Timeline, TimelineInfo

__all__ = ["LIMIT_BYTES", "Timeline", "TimelineInfo"]

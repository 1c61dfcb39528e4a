"""The verification plan as data: what a test is, what a run is told and leaves, and what is to be covered."""

"""The TLB with its shootdown port alone: agents, scoreboard, coverage, sequences and tests."""

"""The driver of the GRU: contexts, misses, shootdowns, with the decisions of the Linux one; and the user's library on top."""

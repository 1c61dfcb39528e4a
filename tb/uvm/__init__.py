"""A pyuvm environment for the TLB with its shootdown port."""

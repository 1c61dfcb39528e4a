"""What block benches share: a block that Python steps (stepped.py), and a testbench that checks itself (program.py)."""

"""Code coverage of the RTL: what instrumented builds are made of, and how a model's counts reach the folder of a run."""

"""The port between software and hardware: requests out, events in, one host memory, one trace."""

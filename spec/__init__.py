"""The one source of every register, handle, field, opcode, cause, trace event and default latency."""

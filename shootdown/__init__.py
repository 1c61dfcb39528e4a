"""The face of the laboratory: command line, rig, reports."""

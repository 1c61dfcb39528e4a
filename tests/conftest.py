"""Puts this folder on the path of every test: `from support.gru_rig import Rig`."""

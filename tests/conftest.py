"""Puts this folder on the path of every test: `from support.fake_gru import FakeGru`."""

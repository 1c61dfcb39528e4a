"""Interrupt lines."""

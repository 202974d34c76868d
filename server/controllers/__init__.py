"""Loops that compare what is wanted with what is, and issue commands."""

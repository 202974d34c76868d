"""Measures what docs/reference/design.md promises in numbers, each against its baseline."""

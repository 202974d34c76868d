"""Shells in clusters that outlive their connections; they live in the memory of one process."""

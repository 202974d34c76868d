"""Backup and restore of a server: its database and its data directory, as one file."""

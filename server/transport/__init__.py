"""Sockets and the protocols on them, below anything that knows what the server is for."""

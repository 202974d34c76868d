"""The adapters of one technology each, and the pure readers of what they print."""

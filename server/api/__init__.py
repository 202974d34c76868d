"""REST, SSE and the WebSocket: thin, between the wire and the commands."""

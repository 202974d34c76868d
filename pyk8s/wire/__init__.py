"""The words of the wire: every model that crosses HTTP, SSE or the WebSocket.

Server, SDK, command line and (through OpenAPI) the web page share these
definitions. They hold no behaviour but `reduce.apply_event`, which is pure.
"""

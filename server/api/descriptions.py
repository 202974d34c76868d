"""What the server tells about itself, written once when it starts."""

import orjson

from server.api import asyncapi, openapi, stream_page
from server.api.state import Documents


def write() -> Documents:
    """Write OpenAPI, AsyncAPI and the page of the stream, all from the same models."""
    of_rest = openapi.document()
    of_stream = asyncapi.document(of_rest["components"]["schemas"])
    return Documents(
        openapi=orjson.dumps(of_rest, option=orjson.OPT_INDENT_2),
        asyncapi=orjson.dumps(of_stream, option=orjson.OPT_INDENT_2),
        stream_page=stream_page.write(of_stream).encode(),
    )

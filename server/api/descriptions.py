"""What the server tells about itself, written once when it starts."""

from typing import Final

import orjson

from server.api import asyncapi, openapi, stream_page
from server.api.revalidation import Document
from server.api.state import Documents

JSON: Final = "application/json"
STREAM_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)


def write() -> Documents:
    """Write OpenAPI, AsyncAPI and the page of the stream, all from the same models."""
    of_rest = openapi.document()
    of_stream = asyncapi.document(of_rest["components"]["schemas"])
    return Documents(
        openapi=Document(orjson.dumps(of_rest, option=orjson.OPT_INDENT_2), JSON),
        asyncapi=Document(orjson.dumps(of_stream, option=orjson.OPT_INDENT_2), JSON),
        stream_page=Document(
            stream_page.write(of_stream).encode(),
            "text/html; charset=utf-8",
            {"Content-Security-Policy": STREAM_POLICY},
        ),
    )

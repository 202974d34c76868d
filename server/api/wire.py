"""Between bytes and models: whatever a client sends is checked here before anything reads it."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from http import HTTPMethod
from typing import Any, Final, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from pyk8s.wire.accounts import USERNAME_PATTERN
from pyk8s.wire.base import MAX_INTEGER, Ask, check_text
from pyk8s.wire.cluster import (
    CLUSTER_NAME_PATTERN,
    LABEL_FILTER_PATTERN,
    LABEL_KEY_PATTERN,
    LABEL_VALUE_PATTERN,
)
from pyk8s.wire.service import FieldError
from pyk8s.wire.terminals import KUBERNETES_LABEL_PATTERN, POD_PATTERN
from server.api.state import State
from server.errors import NotFound, TooLarge, UnsupportedMediaType, ValidationFailed, in_words
from server.store.cursors import CURSOR_PATTERN, MAX_CURSOR_CHARS

MAX_BODY_BYTES = 64 * 1024
MAX_SHOWN = 100
MAX_PAGE: Final = 500
MAX_QUERY_PARAMETERS: Final = 64
"""Of one query. The longest valid ones filter clusters by some phases and labels; a query of 60 KiB
would have 15,000 parameters."""
MAX_ERRORS: Final = 20
"""So many wrong fields are listed: a body of unknown fields must not be answered with more bytes
than it has."""
MAX_NAME_CHARS: Final = 253
"""The longest name that Kubernetes knows (RFC 1123); ours are shorter."""
MAX_EMPTY_BYTES: Final = 64
"""Room for an empty JSON object with spaces, which some clients send where no body is wanted."""
NOTHING: Final = frozenset({b"", b"{}", b"null"})
UUID_LENGTH = 36
SECRET_FIELDS = frozenset({"password", "setup_code"})

_MEANINGS = {
    CLUSTER_NAME_PATTERN: "small letters, digits and dashes, a letter first and no dash last, "
    "32 characters at most",
    USERNAME_PATTERN: "letters, digits, dots, dashes and underscores, a letter or digit first and "
    "last, 32 characters at most",
    POD_PATTERN: "has to be NAMESPACE/NAME, in small letters, digits and dashes",
    KUBERNETES_LABEL_PATTERN: "small letters, digits and dashes, 63 characters at most",
    LABEL_KEY_PATTERN: "a label's key: letters, digits and . _ / - inside, 63 characters at most",
    LABEL_FILTER_PATTERN: "is not key=value: write ?label=branch=main",
    CURSOR_PATTERN: "is no cursor: send back the `next_cursor` of a page",
    LABEL_VALUE_PATTERN: "a label's value: letters, digits, spaces and . _ : / -, 63 at most",
}
"""What a pattern asks for, in words."""

MAX_FRAME_ERROR_CHARS: Final = 200

Model = TypeVar("Model", bound=BaseModel)
Frame = TypeVar("Frame")


def answer(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a model as JSON. Answers are private: nothing between us may keep them."""
    return Response(
        model.model_dump_json(by_alias=True),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def accepted(request: Request[State], offered: Sequence[str]) -> str:
    """Return the first of the offered media types that `Accept` names, or else the first.

    An answer goes out as one type and is described under each: generators of clients know few.
    """
    wanted = request.headers.get("accept", "")
    named = {part.partition(";")[0].strip().lower() for part in wanted.split(",")}
    return next((media_type for media_type in offered if media_type in named), offered[0])


def require_media_type(request: Request[State], known: Collection[str], *, fix: str) -> None:
    """Look at the type of a body before it is read.

    Raises:
        UnsupportedMediaType: it is none of these; says how to send it.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in known:
        raise UnsupportedMediaType(
            f"the body's type is {media_type[:MAX_SHOWN] or 'not given'}", fix=fix
        )


async def read_body(request: Request[State], model: type[Model]) -> Model:
    """Read a JSON body as a model. Each field has the type that the model says: `"1"` is no number.

    Raises:
        UnsupportedMediaType: it is not JSON.
        TooLarge: it is larger than any valid one.
        ValidationFailed: it is not what the model says; `errors` names each field.
    """
    require_media_type(
        request, ("application/json",), fix="send JSON with `Content-Type: application/json`"
    )
    body = await _read_bytes(request, MAX_BODY_BYTES, fix="send only what is asked for")
    try:
        read = model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise invalid(error) from error
    try:
        require_distinct_names(body)
    except ValueError as error:
        raise refused("body", str(error), fix="name each field once") from error
    return read


async def require_no_body(request: Request[State]) -> None:
    """Refuse a body where none is read: what it asks for would silently not happen.

    Raises:
        TooLarge: it is larger than an empty JSON object.
        ValidationFailed: it asks for something.
    """
    if request.method not in {HTTPMethod.POST, HTTPMethod.PUT, HTTPMethod.DELETE}:
        return
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    fix = f"{request.method} {request.url.path[:MAX_SHOWN]} takes no body: send none"
    body = await _read_bytes(request, MAX_EMPTY_BYTES, fix=fix)
    if body.strip() not in NOTHING:
        raise refused("body", "no body is expected", fix=fix)


async def _read_bytes(request: Request[State], most: int, *, fix: str) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge(f"the body has more than {most} bytes", fix=fix)
    return bytes(body)


def parse_frame(adapter: TypeAdapter[Frame], text: str) -> Frame:
    """Read a WebSocket frame of JSON, each field of the type that the models say.

    Raises:
        ValueError: it is not what the models say; the message names the field.
    """
    try:
        frame = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}"[:MAX_FRAME_ERROR_CHARS]) from error
    require_distinct_names(text)
    return frame


def require_distinct_names(document: bytes | str) -> None:
    """Check that no object of a valid JSON document has a name twice.

    Parsers differ in which one counts (RFC 8259, 4), so that a proxy before the server may have
    looked at the other one. The parser of the models cannot tell; call this after it, which has
    bounded the depth.

    Raises:
        ValueError: a name comes twice.
    """
    json.loads(document, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the field {name[:MAX_SHOWN]!r} comes twice")
        found[name] = value
    return found


def several(value: object) -> object:
    """Split a query parameter that may name several things, separated by commas."""
    return value.split(",") if isinstance(value, str) else value


def read_query(request: HTTPConnection[State], model: type[Model]) -> Model:
    """Read the query string as a model. A parameter that comes twice becomes a list.

    Raises:
        ValidationFailed: it has too many parameters, or is not what the model says.
    """
    if request.scope["query_string"].count(b"&") >= MAX_QUERY_PARAMETERS:
        raise refused(
            "query",
            f"has more than {MAX_QUERY_PARAMETERS} parameters",
            fix="name each parameter once; several values of one go together, with commas between",
        )
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in request.query_params.multi_items():
        values[name].append(value)
    given = {name: found[0] if len(found) == 1 else found for name, found in values.items()}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> ValidationFailed:
    """Say field by field what is wrong, without repeating secrets."""
    errors = []
    for item in error.errors(include_url=False)[:MAX_ERRORS]:
        field = ".".join(str(part) for part in item["loc"])[:MAX_SHOWN] or "body"
        message = _MEANINGS.get(item.get("ctx", {}).get("pattern", "")) or in_words(item)
        shown = item.get("input")
        if field in SECRET_FIELDS or not isinstance(shown, str | int | float | bool):
            shown = None
        elif isinstance(shown, str):
            shown = shown[:MAX_SHOWN]
        elif abs(shown) > MAX_INTEGER:  # also an infinite float, which JSON cannot carry
            shown = None
        errors.append(FieldError(field=field, message=message, input=shown))
    detail = "; ".join(f"{item.field}: {item.message}" for item in errors[:5])
    return ValidationFailed(detail, fix="correct the named fields; see /docs", errors=errors)


def refused(field: str, message: str, *, fix: str, given: str | None = None) -> ValidationFailed:
    """Say what is wrong with one part of a request."""
    shown = None if given is None else given[:MAX_SHOWN]
    return ValidationFailed(
        f"{field}: {message}",
        fix=fix,
        errors=[FieldError(field=field, message=message, input=shown)],
    )


def text_in_path(request: HTTPConnection[State], name: str) -> str:
    """Read a part of the path.

    Raises:
        ValidationFailed: it is no text that anything can be named with.
    """
    given: str = request.path_params[name]
    try:
        return check_text(given, max_chars=MAX_NAME_CHARS)
    except ValueError as error:
        fix = "give an id or a name as a list has it"
        raise refused(name, str(error), fix=fix, given=given) from error


def text_in_header(request: HTTPConnection[State], name: str, *, max_chars: int) -> str | None:
    """Read a header that says something to the server. None: it was not sent.

    Raises:
        ValidationFailed: it is empty, too long, or has a control character.
    """
    given = request.headers.get(name)
    if given is None:
        return None
    try:
        if not given:
            raise ValueError("is empty")
        return check_text(given, max_chars=max_chars)
    except ValueError as error:
        fix = "correct the header, or leave it out"
        raise refused(name, str(error), fix=fix, given=given) from error


class PageQuery(Ask):
    """Which page of a list."""

    limit: int = Field(100, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(None, pattern=CURSOR_PATTERN, max_length=MAX_CURSOR_CHARS)


def next_page(request: Request[State], cursor: str | None) -> dict[str, str]:
    """Give the header that names the next page of a list (RFC 8288), if there is one."""
    if cursor is None:
        return {}
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    target = urlencode([*rest, ("cursor", cursor)])
    return {"Link": f'<{request.url.path}?{target}>; rel="next"'}


def printable(header: str) -> str:
    """Return what can be shown of a header that only describes who asks, as User-Agent does."""
    return "".join(char for char in header if " " <= char <= "~").strip()


def id_or_name(request: HTTPConnection[State]) -> UUID | str:
    """Read the path's cluster: a UUID as we write them, or else a name (which may be all hex).

    Raises:
        ValidationFailed: it is neither.
    """
    given = text_in_path(request, "id_or_name")
    if len(given) != UUID_LENGTH:
        return given
    try:
        return UUID(given)
    except ValueError:
        return given


def path_id(request: Request[State], parameter: str, kind: str) -> UUID:
    """Read another id of the path.

    Raises:
        NotFound: it is no id, so there is nothing of the kind.
    """
    try:
        return UUID(request.path_params[parameter])
    except ValueError as error:
        raise NotFound(f"you have no such {kind}", fix=f"see the list of your {kind}s") from error

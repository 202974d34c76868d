"""Between bytes and models."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from pyk8s.wire.accounts import USERNAME_PATTERN
from pyk8s.wire.cluster import CLUSTER_NAME_PATTERN, LABEL_KEY_PATTERN, LABEL_VALUE_PATTERN
from pyk8s.wire.service import FieldError
from pyk8s.wire.terminals import KUBERNETES_LABEL_PATTERN, POD_PATTERN
from server.api.state import State
from server.errors import NotFound, TooLarge, UnsupportedMediaType, ValidationFailed, in_words

MAX_BODY_BYTES = 64 * 1024
MAX_SHOWN = 100
UUID_LENGTH = 36

_MEANINGS = {
    CLUSTER_NAME_PATTERN: "small letters, digits and dashes, a letter first and no dash last, "
    "32 characters at most",
    USERNAME_PATTERN: "letters, digits, dots, dashes and underscores, a letter or digit first and "
    "last, 32 characters at most",
    POD_PATTERN: "has to be NAMESPACE/NAME, in small letters, digits and dashes",
    KUBERNETES_LABEL_PATTERN: "small letters, digits and dashes, 63 characters at most",
    LABEL_KEY_PATTERN: "a label's key: letters, digits and . _ / - inside, 63 characters at most",
    LABEL_VALUE_PATTERN: "a label's value: letters, digits, spaces and . _ : / -, 63 at most",
}
"""What a pattern asks for, in words."""

Model = TypeVar("Model", bound=BaseModel)


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
    """Read a JSON body as a model.

    Raises:
        UnsupportedMediaType: it is not JSON.
        TooLarge: it is larger than any valid one.
        ValidationFailed: it is not what the model says; `errors` names each field.
    """
    require_media_type(
        request, ("application/json",), fix="send JSON with `Content-Type: application/json`"
    )
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(
                f"the body has more than {MAX_BODY_BYTES} bytes", fix="send only what is asked for"
            )
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from error


def several(value: object) -> object:
    """Split a query parameter that may name several things, separated by commas."""
    return value.split(",") if isinstance(value, str) else value


def read_query(request: HTTPConnection[State], model: type[Model]) -> Model:
    """Read the query string as a model. A parameter that comes twice becomes a list.

    Raises:
        ValidationFailed: it is not what the model says.
    """
    given: dict[str, Any] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        given[name] = values[0] if len(values) == 1 else values
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> ValidationFailed:
    """Say field by field what is wrong, without repeating secrets."""
    errors = []
    for item in error.errors(include_url=False):
        field = ".".join(str(part) for part in item["loc"]) or "body"
        message = _MEANINGS.get(item.get("ctx", {}).get("pattern", "")) or in_words(item)
        shown = item.get("input")
        if "password" in field or not isinstance(shown, str | int | float | bool):
            shown = None
        if isinstance(shown, str):
            shown = shown[:MAX_SHOWN]
        errors.append(FieldError(field=field, message=message, input=shown))
    detail = "; ".join(f"{item.field}: {item.message}" for item in errors[:5])
    return ValidationFailed(detail, fix="correct the named fields; see /docs", errors=errors)


def id_or_name(request: HTTPConnection[State]) -> UUID | str:
    """Read the path's cluster: a UUID as we write them, or else a name (which may be all hex)."""
    given: str = request.path_params["id_or_name"]
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

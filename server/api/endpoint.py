"""What one line of the table of endpoints says."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from server.errors import (
    CrossOrigin,
    Forbidden,
    LabError,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
    ValidationFailed,
)

API: Final = "/api/v1"
Handler = Callable[[Request[Any]], Awaitable[Response]]
Errors = tuple[type[LabError], ...]

BODY: Final[Errors] = (ValidationFailed, UnsupportedMediaType, TooLarge)
CALLER: Final[Errors] = (Unauthenticated, Forbidden)
UNSAFE: Final[Errors] = (*CALLER, CrossOrigin)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path.

    `answers`: status -> model, or media types of which `Accept` chooses, or None for no body.
    """

    method: str
    path: str
    handler: Handler
    answers: dict[int, type[BaseModel] | str | Sequence[str] | None]
    errors: Errors = ()
    body: type[BaseModel] | Sequence[str] | None = None
    """A model for JSON, or media types of bytes that are taken as they come."""
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    """Headers of an answer that is no refusal, beside those that all answers have."""
    streams: bool = False
    """With `Accept: text/event-stream` it answers with what comes, as Server-Sent Events."""
    scope: Scope | None = None
    """What a token needs for it. None: any token will do, if not `public`."""
    public: bool = False
    revalidated: bool = False
    """Whether a client may keep its answer and ask by `If-None-Match` whether it is still so."""
    compressible: bool = False
    """Whether its answers may be compressed: none of them may carry a secret. What one adds to an
    answer of a secret by a request would show its letters in the length (BREACH)."""

    @property
    def name(self) -> str:
        """The operation's id."""
        return f"{self.handler.__module__.rpartition('.')[2]}_{self.handler.__name__}"


CLUSTER: Final = f"{API}/clusters/{{id_or_name}}"

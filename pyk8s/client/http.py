"""One REST call: encode, send, try again where that is safe, and turn refusals into exceptions."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from pyk8s.client import errors
from pyk8s.client.backoff import Backoff
from pyk8s.client.config import Endpoint
from pyk8s.wire.hosts import is_loopback_host
from pyk8s.wire.service import Problem
from pyk8s.wire.version import VERSION

Model = TypeVar("Model", bound=BaseModel)

PREFIX = "/api/v1"
ATTEMPTS = 4
LONGEST_PATIENCE_SECONDS = 15.0
"""A `Retry-After` beyond this is the caller's decision, not ours."""

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
UPLOAD_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
"""Nodes may be slow to take a piece, and slow to unpack the last one."""

UPDATE = "Update with: pip install --upgrade pyk8s-lab"

PROBLEM_TYPE = "application/problem+json"
LARGEST_ANSWER_BYTES = 256 * 2**20
"""Logs and evidence are the largest answers; servers keep some MiB of them for each attempt."""
OF_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})

IDENTITY = "identity"
"""Nothing compressed is asked for or taken: some hundred bytes can unpack to any size, and the one
large answer, evidence, is compressed as it is."""

GATEWAY_STATUS = frozenset({502, 503, 504})

_BY_STATUS: Mapping[int, type[errors.ApiProblem]] = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Conflict,
    413: errors.Invalid,
    415: errors.Invalid,
    422: errors.Invalid,
    429: errors.OverCapacity,
    503: errors.OverCapacity,
}


def is_loopback(url: str) -> bool:
    """Tell whether the server is on this machine, where a proxy would only be in the way."""
    return is_loopback_host(urlsplit(url).hostname or "")


def user_agent() -> str:
    """Name this program and its version."""
    return f"pyk8s/{VERSION}"


PAGE_ITEMS = 100
"""So many items of a list are asked for at once."""
MAX_PAGES = 1000
"""Of one list: 100,000 items, more than anybody looks at."""


class Http:
    """The REST side of one server.

    A call that may be repeated without harm (GET, DELETE, and anything with an
    `Idempotency-Key`) is tried again when the connection breaks or the server answers 503
    with `Retry-After`. Other calls are tried again only when they never left this machine.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        backoff: Backoff,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._backoff = backoff
        self._transport = transport
        self._client = httpx.AsyncClient(
            base_url=endpoint.url + PREFIX,
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not is_loopback(endpoint.url),
            headers={"User-Agent": user_agent(), "Accept-Encoding": IDENTITY},
        )

    @property
    def origin(self) -> str:
        """The server's origin: its address without a path."""
        parts = urlsplit(self.endpoint.url)
        return f"{parts.scheme}://{parts.netloc}"

    def speaking_to(self, endpoint: Endpoint) -> "Http":
        """Give another one of the same kind, with its own cookies; the caller closes it."""
        return Http(endpoint, backoff=self._backoff, transport=self._transport)

    def anonymous(self) -> "Http":
        """Give another one for the same server, without the token; the caller closes it."""
        return self.speaking_to(replace(self.endpoint, token=None))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def document(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Make a call and give the JSON object that it answers; `{}` for an empty answer.

        Raises:
            ApiProblem: the server refused; see its subclasses.
            Unreachable: nobody answered.
            Misunderstood: the answer is not that of a PyK8s-Lab server.
        """
        response = await self.send(method, path, **request)
        return self.document_of(response) if response.content else {}

    async def items(self, path: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        """Give the items of all pages of a list. Raises as `document`."""
        asked: dict[str, Any] = {**(params or {}), "limit": PAGE_ITEMS}
        found: list[Any] = []
        seen: set[str] = set()
        while len(seen) < MAX_PAGES:
            page = await self.document("GET", path, params=asked)
            found += items_of(page)
            cursor = page.get("next_cursor")
            if not cursor:
                return found
            if not isinstance(cursor, str) or cursor in seen:
                raise not_understood("next_cursor: the list does not come to an end")
            seen.add(cursor)
            asked["cursor"] = cursor
        raise not_understood(f"next_cursor: the list has more than {MAX_PAGES} pages")

    async def look(self, path: str) -> httpx.Response:
        """Make one GET of a path of the server itself, not of its API; give any answer.

        Raises:
            Unreachable: nobody answered.
        """
        try:
            return await self._answer("GET", self.endpoint.url + path)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def document_of(self, response: httpx.Response) -> dict[str, Any]:
        """Read an answer as a JSON object.

        Raises:
            Misunderstood: it is none.
        """
        try:
            document = response.json()
        except (ValueError, RecursionError):  # RecursionError: lists in lists
            document = None
        if not isinstance(document, dict):
            raise self._stranger(response)
        return document

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Make a call and give its successful answer, whatever its type. Raises as `document`."""
        sent = dict(headers or {})
        if self.endpoint.token:
            sent["Authorization"] = f"Bearer {self.endpoint.token}"
        is_repeatable = method in {"GET", "DELETE"} or "Idempotency-Key" in sent
        attempt = 0
        while True:
            attempt += 1
            is_last = attempt >= ATTEMPTS
            try:
                response = await self._answer(method, path, json=body, params=params, headers=sent)
            except httpx.TransportError as error:
                was_never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if is_last or not (is_repeatable or was_never_sent):
                    raise self._unreachable(error) from error
                await self._backoff.sleep(self._backoff.delay(attempt))
                continue
            if response.is_success:
                return response
            refusal = self._refusal(response)
            pause = _pause(refusal)
            if is_last or not is_repeatable or pause is None:
                raise refusal
            await self._backoff.sleep(pause + self._backoff.delay(attempt))

    async def upload(self, path: str, pieces: AsyncIterable[bytes]) -> dict[str, Any]:
        """Send bytes as they come, once, and give the JSON object that is answered.

        Raises as `document`.
        """
        sent = {"Content-Type": "application/x-tar"}
        if self.endpoint.token:
            sent["Authorization"] = f"Bearer {self.endpoint.token}"
        try:
            response = await self._answer(
                "POST", path, content=pieces, headers=sent, timeout=UPLOAD_TIMEOUT
            )
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise self._refusal(response)
        return self.document_of(response)

    async def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Read a whole answer, unless it is compressed, or larger than any that a server gives.

        Raises:
            Misunderstood: it is.
        """
        async with self._client.stream(method, path, **request) as response:
            encoding = response.headers.get("content-encoding", IDENTITY)
            if encoding.strip().lower() != IDENTITY:  # before anything unpacks it
                raise errors.Misunderstood(
                    f"{self.endpoint.url} answers in an encoding that was not asked for.",
                    fix="Check --url and PYK8S_URL, and whether a proxy between compresses.",
                )
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise errors.Misunderstood(
                        f"{self.endpoint.url} answers with more than "
                        f"{LARGEST_ANSWER_BYTES // 2**20} MiB.",
                        fix="Check --url and PYK8S_URL: no PyK8s-Lab server does so.",
                    )
            kept = [pair for pair in response.headers.multi_items() if pair[0] not in OF_TRANSFER]
            return httpx.Response(
                response.status_code, headers=kept, content=bytes(body), request=response.request
            )

    def _refusal(self, response: httpx.Response) -> errors.LabError:
        if response.headers.get("content-type", "").partition(";")[0] == PROBLEM_TYPE:
            return api_problem(
                response.status_code, response.content, response.headers.get("Retry-After")
            )
        if response.status_code in GATEWAY_STATUS:
            return errors.Unreachable(
                f"Something answers at {self.endpoint.url}, but the server behind it does not "
                f"(HTTP {response.status_code}).",
                fix="Wait until it is up, or look at its log.",
            )
        return self._stranger(response)

    def _unreachable(self, error: httpx.TransportError) -> errors.Unreachable:
        url = self.endpoint.url
        if isinstance(error, httpx.TimeoutException):
            detail = f"The server at {url} does not answer in time."
        elif isinstance(error, httpx.ConnectError):
            detail = f"No server answers at {url}."
        else:
            detail = f"The connection to {url} broke: {str(error) or type(error).__name__}."
        return errors.Unreachable(
            detail,
            fix="Start one with: pyk8s up. Another address: --url or PYK8S_URL.",
        )

    def _stranger(self, response: httpx.Response) -> errors.Misunderstood:
        url = self.endpoint.url
        if response.is_redirect:
            return errors.Misunderstood(
                f"{url} sends callers on to {response.headers.get('location', 'another address')}.",
                fix="Give that address with --url or PYK8S_URL.",
            )
        return errors.Misunderstood(
            f"What answers at {url} (HTTP {response.status_code}) is not a PyK8s-Lab server.",
            fix="Check --url and PYK8S_URL. A server of your own: pyk8s up",
        )


def _pause(refusal: errors.LabError) -> float | None:
    """Give the seconds after which the same call may succeed; None when it will not."""
    match refusal:
        case errors.Unreachable():
            return 0.0
        case errors.OverCapacity(status=httpx.codes.SERVICE_UNAVAILABLE, retry_after_seconds=pause):
            return pause if pause is not None and pause <= LONGEST_PATIENCE_SECONDS else None
        case _:
            return None


def api_problem(status: int, body: bytes, retry_after: str | None) -> errors.ApiProblem:
    """Read a problem body. One that cannot be read still gives an exception with the status."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = Problem(
            type="about:blank",
            title=f"HTTP {status}",
            status=status,
            detail=f"The server refused with HTTP {status} and did not say why.",
            code=f"http_{status}",
        )
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return _BY_STATUS.get(status, errors.ApiProblem)(problem, retry_after_seconds=seconds)


def not_understood(what: str) -> errors.Misunderstood:
    """Return the error for an answer that is JSON, but does not say what it should."""
    return errors.Misunderstood(
        f"The server's answer is not understood: {what}.",
        fix=f"Check --url and PYK8S_URL. {UPDATE}",
    )


def items_of(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a page of a list.

    Raises:
        Misunderstood: they are no list of objects.
    """
    items = page.get("items")
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise not_understood("items: a list of objects is expected")
    return items


def understand(model: type[Model], document: Mapping[str, Any]) -> Model:
    """Read an answer as a model of the wire.

    Raises:
        Misunderstood: the server speaks a newer dialect.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise errors.Misunderstood(
            f"The server says something that this pyk8s does not know: {where}: {first['msg']}.",
            fix=UPDATE,
        ) from error

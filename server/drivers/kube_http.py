"""HTTP to API servers that answer to a tenant: every answer is bounded in bytes and in time.

Whoever has a cluster is root on its node, and can put any program on the port of the API server,
with the certificate that the cluster's own authority signed. So nothing that comes from there is
followed (redirects), inflated (compression), kept (cookies) or waited for without a limit.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
import orjson

from server.drivers.kube_objects import Object
from server.transport.bounded_answers import bound_answers

MOST_BYTES: Final = 1024 * 1024
"""etcd keeps no object of more than 1.5 MB, and those that are asked for here have a few KB."""
CONNECT_SECONDS: Final = 5.0
KEPT_OPEN_SECONDS: Final = 60.0
READ_BYTES: Final = 64 * 1024
SAID_CHARS: Final = 200
"""Characters of what an API server says about an error that are passed on."""

_ADDED_BY_AIOHTTP: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class NoAnswer(Exception):
    """The API server gave no answer that can be used. Says why, in words for a person."""


class TooLong(NoAnswer):
    """The answer has more bytes than it may have."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes

    @property
    def said(self) -> str:
        """The beginning of the body, without characters that cannot be shown."""
        return printable(self.body[: 4 * SAID_CHARS].decode(errors="replace"))

    def document(self) -> Object:
        """Return the object that the body is.

        Raises:
            NoAnswer: it is none.
        """
        try:
            found: Any = orjson.loads(self.body)  # which refuses more than 1,024 levels
        except orjson.JSONDecodeError as error:
            raise NoAnswer("its answer is not JSON") from error
        if not isinstance(found, dict):
            raise NoAnswer("its answer is not an object of Kubernetes")
        return found


class Redirected(aiohttp.ClientError):
    """An API server sends the server elsewhere, where its identity has no business."""


def open_session(context: SSLContext, *, connections: int = 0) -> aiohttp.ClientSession:
    """Open a session that adds no header, follows no redirect, inflates and keeps nothing.

    It has no time limit but for connecting. `connections`: at most so many at once; 0: no limit.
    """
    following = aiohttp.TraceConfig()
    following.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=bound_answers(
            aiohttp.TCPConnector(
                ssl=context,
                limit=connections,
                keepalive_timeout=KEPT_OPEN_SECONDS,
                enable_cleanup_closed=True,
            )
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_ADDED_BY_AIOHTTP,
        read_bufsize=READ_BYTES,
        trust_env=False,
        # `ws_connect` follows redirects and cannot be told not to.
        trace_configs=[following],
    )


async def _refuse_redirect(
    _session: aiohttp.ClientSession,
    _context: SimpleNamespace,
    redirect: aiohttp.TraceRequestRedirectParams,
) -> None:
    redirect.response.close()
    raise Redirected(f"it answered with a redirect ({redirect.response.status})")


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    document: Mapping[str, Any] | None = None,
    most_bytes: int = MOST_BYTES,
) -> Answer:
    """Ask, and read the whole answer. `seconds`: for all of it. `document` is sent as JSON.

    Raises:
        TooLong: the answer has more than `most_bytes`.
        NoAnswer: it does not come, or not in time, or is compressed.
    """
    sent = dict(headers or {}) | ({"Content-Type": "application/json"} if document else {})
    body = orjson.dumps(document) if document else None
    try:
        async with (
            asyncio.timeout(seconds),
            session.request(method, url, headers=sent, data=body, allow_redirects=False) as answer,
        ):
            return Answer(answer.status, await read(answer, most_bytes))
    except TimeoutError as error:
        raise NoAnswer(f"it gave no whole answer within {seconds:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise NoAnswer(in_words(error)) from error


async def read(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Read a body to its end. The caller limits the time.

    Raises:
        TooLong: it has more than `most_bytes`.
        NoAnswer: it is compressed: a few bytes could stand for any number of them.
    """
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NoAnswer("its answer is compressed, which was not asked for")
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > most_bytes:
            answer.close()
            raise TooLong(f"its answer has more than {most_bytes} bytes")
    return bytes(body)


def in_words(error: Exception) -> str:
    """Return one line that says why nothing came."""
    if isinstance(error, TimeoutError):
        return "nothing came in time"
    return printable(str(error)) or type(error).__name__


def printable(said: str) -> str:
    """Return the beginning of a text of somebody else, without characters that cannot be shown."""
    return "".join(char if char.isprintable() else " " for char in said)[:SAID_CHARS].strip()

"""An ASGI application that relays: a request goes where its gate says, and the answer comes back.

Both bodies pass in pieces as they come: nothing is collected, so a watch is seen at once and a
large list costs no memory.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import aiohttp
import anyio
from multidict import CIMultiDict
from yarl import URL

from server.proxy.passage import Asked, Gate, Passage, peer_of
from server.proxy.refusals import Headers, OwnAnswer, Refusal
from server.transport.connection import hang_up

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

HEAD_SECONDS: Final = 120.0
"""For the head of an answer, from the last piece of the request's body on. An API server gives up
a request after 60 s (`--request-timeout`) and waits 30 s for a webhook; long-running requests have
no such end, and none here. Apps get the same: proxies before apps commonly wait for 60 s."""
MAX_INSPECTED_BYTES: Final = 64 * 1024
"""Of a body that is read before it passes."""

BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})


class ClientGone(OSError):
    """The client went before it had sent everything."""


class Body:
    """The body of a request, and after it the client's going away."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        self._has_passed = asyncio.Event()
        found = {name: value for name, value in headers if name in BODY_HEADERS}
        self.length = found.get(b"content-length")
        self.is_there = b"transfer-encoding" in found or self.length not in {None, b"0"}
        self.is_client_gone = False
        if not self.is_there:
            self._has_passed.set()

    async def pieces(self, moved: Callable[[], None]) -> AsyncIterator[bytes]:
        """Give the body as it comes; `moved` is called when a piece has been taken.

        Raises:
            ClientGone: it ends before its end.
        """
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_client_gone = True
                raise ClientGone
            if message.get("body"):
                yield message["body"]
            moved()
            if not message.get("more_body"):
                self._has_passed.set()
                return

    async def whole(self) -> bytes:
        """Return all of the body.

        Raises:
            ClientGone: it ends before its end.
            Refusal: it has more than `MAX_INSPECTED_BYTES`.
        """
        read = bytearray()
        if self.is_there:
            async for piece in self.pieces(lambda: None):
                read += piece
                if len(read) > MAX_INSPECTED_BYTES:
                    raise Refusal(
                        413,
                        "RequestEntityTooLarge",
                        f"the body has more than {MAX_INSPECTED_BYTES} bytes",
                    )
        return bytes(read)

    async def until_client_is_gone(self) -> None:
        """Wait until the client hangs up, or has its whole answer."""
        await self._has_passed.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_client_gone = True


class Relay:
    """The application. `gate` decides what a request may reach."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        has_begun = False

        async def noting(message: Any) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._answer(scope, receive, noting)
        except OwnAnswer as answer:
            if has_begun:
                await _cut(scope, receive)  # half an answer must not look like a whole one
            else:
                await _say(send, answer)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        passage = await self._gate.admit(
            Asked(
                scope["method"],
                scope["raw_path"],
                scope["query_string"],
                scope["headers"],
                peer_of(scope),
            )
        )
        body = Body(receive, scope["headers"])
        with passage.opened() as request:
            going = asyncio.create_task(body.until_client_is_gone())
            going.add_done_callback(lambda _: request.scope.cancel())
            try:
                with request.scope:
                    await _pass_on(scope["method"], passage, body, send)
            finally:
                going.cancel()
            if request.has_ended:
                await _cut(scope, receive)


async def _pass_on(method: str, passage: Passage, body: Body, send: Send) -> None:
    headers = CIMultiDict((name.decode("latin-1"), _text(value)) for name, value in passage.headers)
    headers["Host"] = passage.host.decode("ascii")
    whole = None
    if passage.inspect is not None:
        whole = passage.inspect(await body.whole())
        headers["Content-Length"] = str(len(whole))
    elif body.length is not None:
        headers["Content-Length"] = body.length.decode()
    patience = anyio.CancelScope()

    def wait_longer() -> None:
        if not passage.is_long_running:
            patience.deadline = anyio.current_time() + HEAD_SECONDS

    wait_longer()
    sent = body.pieces(wait_longer) if body.is_there else None
    asking = passage.session.request(
        method,
        URL(passage.base + passage.target.decode("ascii"), encoded=True),
        headers=headers,
        data=sent if whole is None else whole,
        allow_redirects=False,
    )
    try:
        with patience:
            answer = await asking
        if patience.cancelled_caught:
            raise passage.unanswered(f"gave no answer within {HEAD_SECONDS:g} s")
        async with answer:
            if not 200 <= answer.status <= 599:  # noqa: PLR2004 -- final answers, RFC 9110
                raise passage.unanswered(f"answered with the status {answer.status}")
            await _give_back(answer, passage, send)
    except (aiohttp.ClientError, OSError) as error:
        if not body.is_client_gone:
            raise passage.unanswered("does not answer") from error


def _text(value: bytes) -> str:
    """Return the text that aiohttp, which sends UTF-8, sends as these bytes, if there is one."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _give_back(answer: aiohttp.ClientResponse, passage: Passage, send: Send) -> None:
    headers = passage.give_back(answer.raw_headers)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    while piece := await answer.content.readany():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _cut(scope: Scope, receive: Receive) -> None:
    """End the connection, and return when it is gone: uvicorn else tells its log of a defect."""
    hang_up(scope)
    while (await receive())["type"] != "http.disconnect":
        pass


async def _say(send: Send, answer: OwnAnswer) -> None:
    body = answer.body()
    headers = [*answer.headers(body), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": answer.code, "headers": headers})
    await send({"type": "http.response.body", "body": body})

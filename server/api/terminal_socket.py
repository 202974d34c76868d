"""The WebSocket /api/v1/clusters/{id}/terminal: a shell's bytes both ways, and its end."""

from contextlib import ExitStack, suppress
from typing import Annotated, Any, Final, Self
from uuid import UUID

import anyio
from pydantic import Field, TypeAdapter, model_validator
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from pyk8s.wire.accounts import Scope
from pyk8s.wire.base import Ask
from pyk8s.wire.cluster import USABLE, Cluster
from pyk8s.wire.facts import Note
from pyk8s.wire.frames import Ping, Pong
from pyk8s.wire.terminals import (
    KUBERNETES_LABEL_PATTERN,
    POD_PATTERN,
    TERMINAL_SUBPROTOCOL,
    Ack,
    Attached,
    Cols,
    Exited,
    Resize,
    Rows,
    TerminalAsk,
    TerminalError,
    TerminalFrame,
)
from server.api.audience import LAST_SECONDS
from server.api.auth import authenticate
from server.api.clusters import owned
from server.api.protocol import TERMINAL_CODES, Closed
from server.api.state import State
from server.api.streams import Stream
from server.api.wire import parse_frame, read_query
from server.drivers.base import PodTarget, ShellWish
from server.errors import LabError, NoSuchTerminal, NotReady, ValidationFailed
from server.store import event_log
from server.terminals.session import Client, Ending, InputNotTaken, Owner, Session
from server.transport.connection import hang_up

_ASK: Final[TypeAdapter[TerminalAsk]] = TypeAdapter(TerminalAsk)

LABEL_LENGTH: Final = 63
NAME_LENGTH: Final = 253


class TerminalQuery(Ask):
    """Which terminal: one that is there (`session`), or a new one."""

    session: UUID | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    rows: Rows = 24
    cols: Cols = 80
    pod: str | None = Field(None, pattern=POD_PATTERN, max_length=LABEL_LENGTH + 1 + NAME_LENGTH)
    container: str | None = Field(None, pattern=KUBERNETES_LABEL_PATTERN, max_length=LABEL_LENGTH)

    @model_validator(mode="after")
    def _container_of_a_pod(self) -> Self:
        if self.container is not None and self.pod is None:
            raise ValueError("container: name its pod too, as namespace/name")
        return self

    def target(self) -> PodTarget | None:
        """Give the pod, if one is meant."""
        if self.pod is None:
            return None
        namespace, _, name = self.pod.partition("/")
        return PodTarget(namespace, name, self.container)


async def terminal(websocket: WebSocket[State]) -> None:
    """Serve one client. Whoever may not is refused by HTTP, before the handshake ends."""
    principal = await authenticate(websocket, Scope.ACCESS)
    if TERMINAL_SUBPROTOCOL not in websocket.scope["subprotocols"]:
        raise ValidationFailed(
            f"a terminal speaks the subprotocol {TERMINAL_SUBPROTOCOL}",
            fix=f"offer it: Sec-WebSocket-Protocol: {TERMINAL_SUBPROTOCOL}",
        )
    query = read_query(websocket, TerminalQuery)
    cluster = await owned(websocket, principal)
    with websocket.state["streams"].admit(principal) as stream, suppress(WebSocketDisconnect):
        await websocket.accept(subprotocol=TERMINAL_SUBPROTOCOL)
        await Connection(websocket, stream, cluster, query).serve()


class Connection:
    """One client of one terminal."""

    def __init__(
        self, websocket: WebSocket[State], stream: Stream, cluster: Cluster, query: TerminalQuery
    ) -> None:
        self._websocket = websocket
        self._state = websocket.state
        self._stream = stream
        self._cluster = cluster
        self._query = query

    async def serve(self) -> None:
        """Carry bytes until the shell ends or one side has enough; then say why."""
        is_gone = False
        last: TerminalFrame | None = None
        try:
            with self._stream.scope:
                last = await self._attend()
        except* WebSocketDisconnect:
            is_gone = True  # there is nobody to tell
        except* Closed as group:
            self._stream.end(_first(group))
        except* LabError as group:
            refused = _first(group)
            last = TerminalError(code=refused.code, detail=refused.detail, fix=refused.fix)
            is_unknown = isinstance(refused, NoSuchTerminal)
            self._stream.end(Closed("no_such_session" if is_unknown else "refused", refused.detail))
        if is_gone:
            return
        closed = self._stream.ended or Closed("exit", "the terminal has ended")
        if last is None and closed.reason != "restart":
            last = TerminalError(code=closed.reason, detail=closed.detail)
        await self._close(closed, last)

    async def _attend(self) -> Exited:
        session = await self._session()
        with ExitStack() as attached:
            try:
                client, lost = attached.enter_context(session.attached(self._query.offset))
            except ValueError as error:
                raise Closed("unknown_position", str(error)) from error
            await self._send(Attached(session=session.id, offset=client.sent, lost=lost))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, session, client)
                ending = await self._write(session, client)
                tasks.cancel_scope.cancel()
        return Exited(code=ending.code, reason=ending.reason)

    async def _session(self) -> Session:
        terminals, principal = self._state["terminals"], self._stream.principal
        query = self._query
        if query.session is not None:
            session = terminals.find(principal.user.id, self._cluster.id, query.session)
            await session.resize(query.rows, query.cols)
            return session
        if self._cluster.phase not in USABLE:
            raise NotReady(
                f"the cluster is {self._cluster.phase}, so there is no shell in it",
                fix="wait until it is ready",
            )
        owner = Owner(principal.user.id, principal.credential_id, self._cluster.id)
        wish = ShellWish(
            cluster_name=self._cluster.name,
            username=principal.user.username,
            rows=query.rows,
            cols=query.cols,
            pod=query.target(),
        )
        session = await terminals.open(owner, wish)
        where = f" in the pod {query.pod}" if query.pod else ""
        note = Note(text=f"{principal.user.username} opened a terminal{where}.")
        try:
            async with self._state["database"].transaction() as writing:
                await event_log.append_use(writing, self._cluster.id, note)
        except LabError:  # no shell without a trace of who opened it
            session.end("closed")
            raise
        return session

    async def _write(self, session: Session, client: Client) -> Ending:
        """Send output until there is none any more; tell how it ended."""
        while True:
            try:
                data = await session.next_output(client)
            except TimeoutError as error:
                raise Closed("slow", "output was not taken in time") from error
            if isinstance(data, Ending):
                return data
            await self._stream.send(self._websocket.send_bytes(data))
            session.taken(client, len(data))

    async def _read(self, session: Session, client: Client) -> None:
        """Take what the client types and says, until it goes."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
            typed = message.get("bytes")
            if typed is not None:
                try:
                    await session.type(typed)
                except InputNotTaken as error:
                    raise Closed("slow", "what runs in the terminal takes no input") from error
                continue
            match _ask(message.get("text") or ""):
                case Resize(rows=rows, cols=cols):
                    await session.resize(rows, cols)
                case Ack(offset=offset):
                    session.acknowledged(client, offset)
                case Ping(nonce=nonce):
                    await self._send(Pong(nonce=nonce))

    async def _send(self, frame: TerminalFrame) -> None:
        # Needs no lock: a frame is written with one call.
        await self._stream.send(self._websocket.send_text(frame.model_dump_json()))

    async def _close(self, closed: Closed, last: TerminalFrame | None) -> None:
        with anyio.move_on_after(LAST_SECONDS) as limit, suppress(WebSocketDisconnect):
            if self._websocket.application_state is WebSocketState.CONNECTED:
                if last is not None:
                    await self._websocket.send_text(last.model_dump_json())
                await self._websocket.close(TERMINAL_CODES[closed.reason], closed.reason)
        if limit.cancelled_caught:
            hang_up(self._websocket.scope)


def _ask(text: str) -> Resize | Ack | Ping:
    try:
        return parse_frame(_ASK, text)
    except ValueError as error:
        raise Closed("malformed", str(error)) from error


def _first(group: BaseExceptionGroup[Any]) -> Any:
    """Give the first of several errors: each of them would end the connection."""
    found: Any = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found

"""List one kind of a cluster's objects, then watch it: Kubernetes' own protocol for that.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

import aiohttp
import anyio
import orjson

from pyk8s.wire.resources import Row
from server.drivers import kube_http
from server.drivers.kube_http import CONNECT_SECONDS, in_words
from server.drivers.kube_objects import Object, part, parts, text
from server.resources.kinds import Watched
from server.resources.pace import Pace
from server.resources.table import Listing, Table
from server.telemetry import get_logger

PAGE: Final = 200
MOST_PAGE_BYTES: Final = 2 * 1024 * 1024
"""200 objects of 10 KiB each; of larger ones, fewer are asked for at once. A page is parsed on the
event loop: 2 MiB of empty lists take 145 ms on a busy machine (16 MiB: seconds)."""
MOST_LINE_BYTES: Final = 2 * 1024 * 1024
"""An object has at most 1.5 MiB in etcd; most have a few KiB. It is parsed on the event loop."""
MOST_PAGES: Final = 1000
"""Of one list: 200,000 objects, or 1,000 of the largest."""
WHOLE_LIST_SECONDS: Final = 300.0
"""etcd drops the version that a list goes on from after five minutes."""
LEAST_COUNTED_BYTES: Final = 512
"""What a page or an event counts at least: handling one costs time however short it is."""
LIST_SECONDS: Final = 30.0
WATCH_SECONDS: Final = (240, 300)
"""The server is asked to end a watch after a time between these: not all of them at once."""
PACE_SECONDS: Final = 1.0
"""Lists and watches of one kind follow each other no faster."""
REFILL_SECONDS: Final = 10.0

log = get_logger(__name__)


class Away(Exception):
    """The cluster's API server does not answer, or not as it should. Says how."""


class Upstream(Protocol):
    """The way to a cluster's API server, as its administrator."""

    @property
    def url(self) -> str:
        """Where it answers: `https://HOST:PORT`."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """What asks it."""


class _Expired(Exception):
    """What the watch wanted to go on from is no longer kept: list again."""


class _TooLarge(Exception):
    """A page of a list is too large: ask for fewer objects."""


class Watching:
    """One kind of one cluster. Knows how far it is, so that it can go on after an outage.

    Under `lists`, one list of a cluster is taken at a time: that bounds what lists may weigh.
    """

    def __init__(
        self,
        what: Watched,
        table: Table,
        lists: anyio.Lock,
        pace: Pace,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        page: int = PAGE,
    ) -> None:
        self._what = what
        self._table = table
        self._lists = lists
        self._pace = pace
        self._sleep = sleep
        self._page = page
        self._version: str | None = None
        self._listed_at = 0.0

    async def run(self, upstream: Upstream, *, on_listed: Callable[[], None]) -> None:
        """Keep the table right until cancelled; `on_listed` is called whenever it is.

        Raises:
            Away: the API server does not answer as it should.
        """
        try:
            while True:
                began = time.monotonic()
                try:
                    if self._version is None:
                        async with self._lists:
                            self._version = await self._list(upstream)
                    await self._watch(upstream, on_listed)
                except _Expired:
                    self._version = None
                except _TooLarge as error:
                    if self._page == 1:
                        raise Away(f"one object of {self._what.path} is too large") from error
                    self._page = max(1, self._page // 8)
                    continue
                await self._sleep(max(0.0, PACE_SECONDS - (time.monotonic() - began)))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Away(in_words(error)) from error
        except RuntimeError as error:
            if not upstream.session.closed:
                raise
            raise Away("its connections were closed") from error

    def forget(self) -> None:
        """Begin from nothing: it is another cluster now, with the same id."""
        self._version = None

    async def _list(self, upstream: Upstream) -> str:
        """Take everything there is; give the version of it."""
        listing = self._table.begin(self._what.kind)
        following, began = "", time.monotonic()
        for _ in range(MOST_PAGES):
            query = {"limit": str(self._page)} | ({"continue": following} if following else {})
            with anyio.fail_after(LIST_SECONDS):
                body = await self._page_of(upstream, query)
            following, version = self._take_page(body, listing)
            if not following:
                listing.end()
                self._listed_at = time.monotonic()
                return version
            await self._pace.take(max(LEAST_COUNTED_BYTES, len(body)))
            if time.monotonic() - began > WHOLE_LIST_SECONDS:
                break
        raise Away(f"its list of {self._what.path} does not end")

    def _take_page(self, body: bytes, listing: Listing) -> tuple[str, str]:
        """Return where the list goes on, and its version. Keeps nothing else of a parsed page."""
        document = _object(body)
        listing.add(self._rows(parts(document, "items")))
        metadata = part(document, "metadata")
        # What is not text, and long, was never given by Kubernetes.
        return text(metadata, "continue", 4096), text(metadata, "resourceVersion")

    async def _page_of(self, upstream: Upstream, query: Mapping[str, str]) -> bytes:
        async with upstream.session.get(
            upstream.url + self._what.path,
            params=query,
            allow_redirects=False,
            timeout=_patience(LIST_SECONDS),
        ) as answer:
            if answer.status == HTTPStatus.NOT_FOUND:  # this Kubernetes has no such kind
                return b"{}"
            await _check(answer)
            try:
                return await kube_http.read(answer, MOST_PAGE_BYTES)
            except kube_http.TooLong as error:
                raise _TooLarge from error
            except kube_http.NoAnswer as error:
                raise Away(str(error)) from error

    async def _watch(self, upstream: Upstream, on_listed: Callable[[], None]) -> None:
        seconds = random.randint(*WATCH_SECONDS)  # noqa: S311 -- spreads load, hides nothing
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(seconds),
        }
        async with upstream.session.get(
            upstream.url + self._what.path,
            params=query,
            allow_redirects=False,
            timeout=_patience(None),
        ) as answer:
            if answer.status == HTTPStatus.NOT_FOUND:
                on_listed()
                await self._sleep(seconds)
                return
            await _check(answer)
            on_listed()
            with anyio.move_on_after(seconds + LIST_SECONDS):
                async for line in _lines(answer, self._pace):
                    self._take(_object(line))
                    if self._wants_list():
                        raise _Expired

    def _wants_list(self) -> bool:
        """Tell whether rows that were left out have room now, and it is not too soon for a list."""
        if time.monotonic() - self._listed_at < REFILL_SECONDS:
            return False
        return self._table.could_show_more(self._what.kind)

    def _take(self, change: Object) -> None:
        """Take one line of a watch."""
        kind, given = text(change, "type"), part(change, "object")
        if kind == "ERROR":
            raise _Expired
        version = text(part(given, "metadata"), "resourceVersion")
        if version:
            self._version = version
        if kind == "DELETED":
            self._table.remove(self._what.kind, text(part(given, "metadata"), "uid"))
        elif kind in {"ADDED", "MODIFIED"}:
            for row in self._rows([given]):
                self._table.put(self._what.kind, row, is_new=kind == "ADDED")

    def _rows(self, given: list[Object]) -> list[Row]:
        """Make rows; what cannot be a row is left out."""
        rows = []
        for each in given:
            row = self._what.row(each)
            if row.uid:
                rows.append(row)
        return rows


async def _lines(answer: aiohttp.ClientResponse, pace: Pace) -> AsyncIterator[bytes]:
    """Yield the lines of an endless answer, at the cluster's pace. One too long is left out."""
    kept, is_skipping = bytearray(), False
    async for chunk in answer.content.iter_any():
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            if not is_skipping and len(kept) + len(piece) <= MOST_LINE_BYTES:
                yield bytes(kept) + piece
            kept.clear()
            is_skipping = False
        kept += rest
        if len(kept) > MOST_LINE_BYTES:
            log.warning("resource_left_out", because="it is too large")
            kept.clear()
            is_skipping = True
        await pace.take(max(len(chunk), LEAST_COUNTED_BYTES * len(whole)))


async def _check(answer: aiohttp.ClientResponse) -> None:
    """See that it is an answer to go on with."""
    if answer.status == HTTPStatus.GONE:
        raise _Expired
    if answer.status != HTTPStatus.OK:
        said = (await answer.content.read(4096)).decode(errors="replace")
        why = text(_object_or_nothing(said), "message", 200)
        raise Away(f"its API server says {answer.status} {why}".strip())


def _patience(total: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_SECONDS)


def _object(line: bytes) -> Object:
    try:
        found: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Away("its API server does not speak JSON") from error
    if not isinstance(found, dict):
        raise Away("its API server does not speak as Kubernetes does")
    return found


def _object_or_nothing(said: str) -> Object:
    try:
        found: Any = orjson.loads(said)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}

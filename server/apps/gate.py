"""Who may open which app: the gate of the listener of published apps."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import anyio

from pyk8s.wire.cluster import USABLE, Phase
from server.apps import address, answers, links
from server.apps import headers as rules
from server.apps.bridge import MOST_BUSY, Bridges, TooManyBusy
from server.apps.links import Link, NoLink
from server.commands.passwords import share_of_address
from server.errors import LabError
from server.kube.ports import NoPort, Place, PortStream, open_port
from server.kube.upstream import Upstreams
from server.kube.use import Use
from server.kube.waking import Waker
from server.proxy.openings import Open, Openings
from server.proxy.passage import Asked, Passage
from server.proxy.upgrades import WEBSOCKET
from server.store import apps
from server.store.apps import Published
from server.store.database import Database
from server.telemetry import get_logger
from server.transport.cookies import cookies_of

BELIEVED_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 1.0
RECHECK_SECONDS: Final = 30.0
AFTER_HINT_SECONDS: Final = BELIEVED_SECONDS + 1.0
"""What was let in while a hint came, by what was read before it, is found this much later."""

MOST_KNOWN: Final = 1000

Value = TypeVar("Value")

log = get_logger(__name__)


class AppGate:
    """Lets whoever has a link, or had one, to the app of a host name."""

    upgrades = frozenset({WEBSOCKET})

    def __init__(
        self,
        database: Database,
        upstreams: Upstreams,
        waker: Waker,
        use: Use,
        *,
        key: bytes,
        at: str,
        monotonic: Callable[[], float],
    ) -> None:
        """`key`: signs links. `at`: the URL whose sub-domains are apps."""
        self._database = database
        self._upstreams = upstreams
        self._waker = waker
        self._use = use
        self._key = key
        self._scheme = urlsplit(at).scheme
        self._domain = urlsplit(at).hostname or ""
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, Published]] = OrderedDict()
        self._absent: OrderedDict[str, float] = OrderedDict()
        self._openings = Openings()
        self._bridges = Bridges()
        self._check_at = 0.0

    async def admit(self, asked: Asked) -> Passage:
        """Find which app is asked for, and whether this browser may.

        Raises:
            OwnAnswer: the request is not passed on.
        """
        app = await self._find(address.label_of(asked.headers, self._domain), asked.peer)
        now = datetime.now(UTC)
        is_secure = self._scheme == "https"
        secret, rest = address.link_in(asked.query)
        if secret is not None:
            link = self._read([secret], app, now)
            seconds = int((link.expires_at - now).total_seconds())
            location = address.location_of(asked.path, rest)
            raise answers.LetIn(location, secret, seconds=seconds, is_secure=is_secure)
        cookie = rules.SECURE_COOKIE if is_secure else rules.COOKIE
        link = self._read(cookies_of(asked.headers, cookie), app, now)
        if rules.is_from_elsewhere(asked.method, asked.headers):
            raise answers.from_elsewhere()
        return await self._passage(asked, app, link)

    def stop(self) -> None:
        """End all that is open."""
        self._openings.stop()

    async def aclose(self) -> None:
        """Let go of all connections into clusters."""
        await self._bridges.aclose()

    def on_revoked(self, ended: UUID) -> None:
        """Take a hint: an app was taken away, its links were ended, or its cluster is deleted."""
        for label, (_, app) in [*self._known.items()]:
            if ended in {app.id, app.cluster_id}:
                del self._known[label]
        self._openings.end_with({ended})
        self._check_at = min(self._check_at, self._monotonic() + AFTER_HINT_SECONDS)

    def on_moved(self, cluster_id: UUID) -> None:
        """Take a hint: a cluster may be in another phase than when it was looked up."""
        for label, (_, app) in [*self._known.items()]:
            if app.cluster_id == cluster_id:
                del self._known[label]

    def on_may_have_missed(self) -> None:
        """Look everything up again: hints may have been lost."""
        self._known.clear()
        self._absent.clear()
        self._check_at = 0.0

    async def watch(self, *, clock: Callable[[], datetime]) -> None:
        """Look after all that is open until cancelled. `clock` tells this machine's time."""
        while True:
            await anyio.sleep(LOOK_SECONDS)
            self._openings.end_expired(clock())
            now = self._monotonic()
            if now < self._check_at:
                continue
            self._check_at = now + RECHECK_SECONDS
            try:
                await self._check()
            except (LabError, TimeoutError) as error:  # told by readyz; looked up at the next turn
                log.warning("apps_not_checked", reason=type(error).__name__)
                self._check_at = 0.0

    async def _check(self) -> None:
        asked = self._openings.rights()
        if asked:
            async with self._database.reading() as session:
                living = await apps.living_among(session, asked)
            rights = {right for each in living for right in _rights(*each)}
            self._openings.end_with(asked - rights)

    async def _find(self, label: str | None, peer: str) -> Published:
        if label is None:
            raise answers.unknown()
        now = self._monotonic()
        known = self._known.get(label)
        if known is not None and known[0] > now:
            return known[1]
        if self._absent.get(label, now) > now:
            raise answers.unknown()
        if known is not None:
            database = self._database.for_people(known[1].user_id)
        else:
            database = self._database.for_strangers(share_of_address("app", peer).path)
        try:
            async with database.reading() as session:
                app = await apps.by_host(session, label)
        except LabError as error:
            raise answers.not_ready(f"not known: {error.detail}") from error
        # Apart, so that names which stand for nothing, however many, displace no app.
        if app is None:
            self._known.pop(label, None)
            _keep(self._absent, label, now + BELIEVED_SECONDS)
            raise answers.unknown()
        self._absent.pop(label, None)
        _keep(self._known, label, (now + BELIEVED_SECONDS, app))
        return app

    def _read(self, secrets: Iterable[str], app: Published, now: datetime) -> Link:
        """Give the first link that opens the app.

        Raises:
            Page: none does; a link of it that has ended is told of before strange ones.
        """
        refusal = answers.private()
        for secret in secrets:
            try:
                link = links.read(self._key, secret)
            except NoLink:
                continue
            if link.app_id != app.id:
                continue
            if link.expires_at > now and link.generation == app.generation:
                return link
            refusal = answers.over()
        raise refusal

    async def _passage(self, asked: Asked, app: Published, link: Link) -> Passage:
        if app.attempt_id is None or app.phase not in USABLE:
            raise answers.not_ready(app.phase)
        if app.phase is Phase.PAUSED:
            try:
                await self._waker.awake(app.cluster_id)
            except LabError as error:
                raise answers.not_ready(error.detail) from error
        dial = partial(self._dial, app, app.attempt_id)
        named = f"{app.kind} {app.namespace}/{app.target}, port {app.port}"

        def unanswered(why: str) -> answers.Page:
            return answers.silent(named, self._bridges.why.get(app.id, f"it {why}"))

        try:
            # Held by `opened`, with nothing to wait for in between.
            session = await self._bridges.session(app.id, app.attempt_id, app.user_id, dial)
        except TooManyBusy as error:
            raise answers.too_many(MOST_BUSY) from error
        return Passage(
            base="http://app",
            target=asked.path + (b"?" + asked.query if asked.query else b""),
            headers=rules.towards_app(asked.headers, scheme=self._scheme, upgrade=asked.is_upgrade),
            give_back=rules.towards_browser,
            session=session,
            dial=dial,
            host=dict(asked.headers)[b"host"],
            opened=partial(self._opened, app, app.attempt_id, link),
            unanswered=unanswered,
            log={"app_id": str(app.id), "cluster_id": str(app.cluster_id)},
        )

    @contextmanager
    def _opened(self, app: Published, attempt_id: UUID, link: Link) -> Iterator[Open]:
        rights = _rights(app.id, app.cluster_id, link.generation)
        with (
            self._bridges.holding(app.id, attempt_id),
            self._openings.opened(app.user_id, rights, link.expires_at) as request,
            self._use.holding(app.cluster_id),
        ):
            yield request

    async def _dial(self, app: Published, attempt_id: UUID) -> PortStream:
        """Connect to an app. The cluster is looked up each time: connections to it come and go.

        Raises:
            NoPort: it cannot be reached; says why.
        """
        try:
            upstream = await self._upstreams.for_people(app.cluster_id, attempt_id)
        except LabError as error:
            raise NoPort(error.detail) from error
        place = Place(app.kind, app.namespace, app.target, app.port)
        return await open_port(upstream, app.username, place)


def _keep(known: OrderedDict[str, Value], label: str, value: Value) -> None:
    known[label] = value
    known.move_to_end(label)
    if len(known) > MOST_KNOWN:
        known.popitem(last=False)


def _rights(app_id: UUID, cluster_id: UUID, generation: int) -> frozenset[UUID]:
    """Give what a request rests on: the app, its cluster, and its links of a generation."""
    return frozenset({app_id, cluster_id, uuid5(app_id, str(generation))})

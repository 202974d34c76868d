"""Who may open which app: the gate of the listener of published apps."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from pyk8s.wire.cluster import Phase
from server.apps import answers, links
from server.apps import headers as rules
from server.apps.bridge import Bridges
from server.apps.links import Link, NoLink
from server.errors import LabError
from server.kube.ports import Place, open_port
from server.kube.upstream import Upstreams
from server.proxy.openings import Openings
from server.proxy.passage import Asked, Passage
from server.store import apps
from server.store.apps import Published
from server.store.database import Database

BELIEVED_SECONDS: Final = 1.0
MOST_KNOWN: Final = 1000


class AppGate:
    """Lets whoever has a link, or had one, to the app of a host name."""

    def __init__(
        self,
        database: Database,
        upstreams: Upstreams,
        *,
        key: bytes,
        at: str,
        monotonic: Callable[[], float],
    ) -> None:
        """`key`: signs links. `at`: the URL whose sub-domains are apps."""
        self._database = database
        self._upstreams = upstreams
        self._key = key
        self._scheme = urlsplit(at).scheme
        self._domain = "." + (urlsplit(at).hostname or "")
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, Published | None]] = OrderedDict()
        self._openings = Openings()
        self._bridges = Bridges()

    async def admit(self, asked: Asked) -> Passage:
        """Find which app is asked for, and whether this browser may.

        Raises:
            OwnAnswer: the request is not passed on.
        """
        app = await self._find(_host_of(asked))
        now = datetime.now(UTC)
        secret, rest = _link_in(asked.query)
        if secret is not None:
            link = self._read(secret, app, now)
            seconds = int((link.expires_at - now).total_seconds())
            location = b"/" + asked.path.lstrip(b"/\\") + (b"?" + rest if rest else b"")
            raise answers.LetIn(
                location, secret, seconds=seconds, is_secure=self._scheme == "https"
            )
        cookie = rules.cookie_of(asked.headers)
        if cookie is None:
            raise answers.private()
        return await self._passage(asked, app, self._read(cookie, app, now))

    def stop(self) -> None:
        """End all that is open."""
        self._openings.stop()

    async def aclose(self) -> None:
        """Let go of all connections into clusters."""
        await self._bridges.aclose()

    def on_revoked(self, ended: UUID) -> None:
        """Take a hint: an app was taken away, its links were ended, or its cluster is deleted."""
        for label, (_, app) in [*self._known.items()]:
            if app is not None and ended in {app.id, app.cluster_id}:
                del self._known[label]
        self._openings.end_with({ended})

    def on_may_have_missed(self) -> None:
        """Look everything up again: hints may have been lost."""
        self._known.clear()

    async def _find(self, host: str) -> Published:
        label = host.removesuffix(self._domain)
        if label == host or "." in label:
            raise answers.unknown()
        now = self._monotonic()
        known = self._known.get(label)
        if known is None or known[0] <= now:
            try:
                async with self._database.reading() as session:
                    app = await apps.by_host(session, label)
            except LabError as error:
                raise answers.not_ready("not known: the database does not answer") from error
            self._known[label] = known = (now + BELIEVED_SECONDS, app)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        if known[1] is None:
            raise answers.unknown()
        return known[1]

    def _read(self, secret: str, app: Published, now: datetime) -> Link:
        try:
            link = links.read(self._key, secret)
        except NoLink as error:
            raise answers.private() from error
        if link.app_id != app.id:
            raise answers.private()
        if link.expires_at <= now or link.generation != app.generation:
            raise answers.over()
        return link

    async def _passage(self, asked: Asked, app: Published, link: Link) -> Passage:
        if app.attempt_id is None or app.phase is not Phase.READY:
            raise answers.not_ready(app.phase)
        try:
            upstream = await self._upstreams.for_people(app.cluster_id, app.attempt_id)
        except LabError as error:
            raise answers.not_ready(error.detail) from error
        place = Place(app.kind, app.namespace, app.target, app.port)
        dial = partial(open_port, upstream, app.username, place)
        named = f"{app.kind} {app.namespace}/{app.target}, port {app.port}"

        def unanswered(why: str) -> answers.Page:
            return answers.silent(named, self._bridges.why.get(app.id, f"it {why}"))

        return Passage(
            base="http://app",
            target=asked.path + (b"?" + asked.query if asked.query else b""),
            headers=rules.towards_app(asked.headers, scheme=self._scheme, upgrade=asked.is_upgrade),
            give_back=rules.towards_browser,
            session=await self._bridges.session(app.id, app.attempt_id, dial),
            dial=dial,
            host=_header(asked, b"host"),
            opened=partial(
                self._openings.opened,
                app.user_id,
                frozenset({app.id, app.cluster_id}),
                link.expires_at,
            ),
            unanswered=unanswered,
            log={"app_id": str(app.id), "cluster_id": str(app.cluster_id)},
        )


def _header(asked: Asked, wanted: bytes) -> bytes:
    return next((value for name, value in asked.headers if name == wanted), b"")


def _host_of(asked: Asked) -> str:
    return _header(asked, b"host").decode("latin-1").lower().partition(":")[0].rstrip(".")


def _link_in(query: bytes) -> tuple[str | None, bytes]:
    """Take our parameter out of a query; give its value and the rest."""
    parts = query.split(b"&")
    mark = links.PARAMETER + b"="
    found = [part for part in parts if part.startswith(mark)]
    rest = b"&".join(part for part in parts if not part.startswith(mark))
    return (found[0][len(mark) :].decode("latin-1") if found else None), rest

"""What the composition root gives to the handlers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict

from pyk8s.wire.service import Check
from server.api.compression import Compressor
from server.api.recent import RecentSecrets
from server.api.revalidation import Document
from server.api.shared import Shared
from server.api.streams import Streams
from server.apps.gate import AppGate
from server.commands.devices import Devices
from server.commands.passwords import Passwords
from server.commands.setup_code import SetupCode
from server.commands.throttle import Throttle
from server.config import Settings
from server.fanout.hub import Hub
from server.images.loading import Images
from server.kube.measuring import Measuring
from server.kube.own_host import OwnHost
from server.kube.upstream import Upstreams
from server.kube.use import Use
from server.kube.waking import Waker
from server.proxy.authority import Identity
from server.proxy.grants import Grants
from server.resources.lookout import Lookout
from server.secrets import Sealer
from server.store.database import Database
from server.terminals.terminals import Terminals

NO_DRIVER = "none"


@dataclass(frozen=True, slots=True)
class Documents:
    """What is written once when the server starts."""

    openapi: Document
    asyncapi: Document
    stream_page: Document


@dataclass(frozen=True, slots=True)
class Readiness:
    """What readyz found."""

    checks: list[Check]
    driver: str = NO_DRIVER

    @property
    def is_ready(self) -> bool:
        """Whether everything that is required works."""
        return all(check.ok for check in self.checks if check.required)


class State(TypedDict):
    """The lifespan state: `request.state["database"]` and so on, typed."""

    settings: Settings
    database: Database
    recent: RecentSecrets
    hub: Hub
    passwords: Passwords
    throttle: Throttle
    devices: Devices
    setup_code: SetupCode
    sealer: Sealer
    streams: Streams
    compressor: Compressor
    upstreams: Upstreams
    grants: Grants
    waker: Waker
    use: Use
    app_gate: AppGate
    proxy: Identity | None
    """What the proxy's listener shows; None: there is no proxy."""
    lookout: Lookout
    terminals: Terminals
    images: Images
    own_host: OwnHost
    measuring: Measuring
    documents: Documents
    readiness: Shared[Readiness]
    metrics: Shared[bytes]


def session_lifetime(settings: Settings) -> timedelta:
    """How long somebody stays signed in."""
    return timedelta(hours=settings.session_hours)

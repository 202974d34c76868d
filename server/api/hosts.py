"""Which names of hosts this server answers for: a request for another one is refused.

A page whose own name was made to lead here (DNS rebinding) is of the same origin as what it reads
here, so that no rule about origins holds it off. Its requests name its host.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from pyk8s.wire.hosts import is_loopback_host
from server.api.arrival import FORWARDED_HOST
from server.api.problems import response_of
from server.config import Settings
from server.config.origins import host_of
from server.errors import HostUnknown

ANY: Final = "*"
ALIVE: Final = "/healthz"
"""Answers for any host: what asks is mostly a balancer with a name of its own, and hears `ok`."""

OF_THE_MACHINE: Final = frozenset({"host.docker.internal", "host.containers.internal"})
"""How containers call the machine that they run on; nobody can own a name in .internal."""

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^][:/@]+?)\.?(?::[0-9]*)?")
_ONE_WORD: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62})")
MAX_SHOWN: Final = 100


class AllowedHosts:
    """Names by which people reach this server, as its settings have them."""

    def __init__(self, settings: Settings) -> None:
        name = settings.host_name.lower()
        own = set() if settings.in_container else {name, f"{name}.local"}
        given = {name.strip().lower() for name in settings.allowed_hosts.split(",")}
        urls = (*settings.named_origins, settings.proxy_url or "", settings.apps_url or "")
        listening = {settings.host, settings.published_host or ""}
        self._names = frozenset(
            {*own, *OF_THE_MACHINE, *given, *listening, *map(host_of, urls)} - {""}
        )
        self._has_any = ANY in given
        self._has_one_word = settings.in_container
        """Containers of one network reach each other by names of one word, which no public DNS
        has."""

    def answers_for(self, hosts: Iterable[str], forwarded: Iterable[str] = ()) -> bool:
        """Return whether all Host headers of a request name this server.

        An address does: a page under a name of its own cannot send it as Host. None at all is
        HTTP/1.0, which no browser speaks. `forwarded`: the X-Forwarded-Host headers. They count
        where a neighbour asks by a name of one word, such as the page's container: it hands on what
        a browser asks, whatever host that named.
        """
        asked = [each.strip() for value in forwarded for each in value.split(",")]
        return all(
            self._knows(host) or (self._is_neighbours(host) and all(map(self._knows, asked)))
            for host in hosts
        )

    def _is_neighbours(self, host: str) -> bool:
        name = _name_in(host)
        return self._has_one_word and name is not None and bool(_ONE_WORD.fullmatch(name))

    def _knows(self, host: str) -> bool:
        name = _name_in(host)
        if self._has_any or name is None:
            return self._has_any
        if name in self._names or is_loopback_host(name):
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _name_in(host: str) -> str | None:
    read = _HOST.fullmatch(host.lower())
    return read[1] if read is not None else None


class KnownHosts:
    """Refuses what is asked of another host, before anything reads it. ASGI."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = AllowedHosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] in {"http", "websocket"} and scope["path"] != ALIVE:
            headers = Headers(scope=scope)
            hosts, forwarded = headers.getlist("host"), headers.getlist(FORWARDED_HOST)
            if not self._hosts.answers_for(hosts, forwarded):
                await _refuse(", ".join(hosts)[:MAX_SHOWN], scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _refuse(host: str, scope: Scope, receive: Receive, send: Send) -> None:
    response = response_of(
        HostUnknown(
            f"this server does not answer for the host {host!r}",
            fix="open it under an address of its own, or let the operator add the name to "
            "PYK8S_ALLOWED_ORIGINS (https://NAME, for pages) or PYK8S_ALLOWED_HOSTS (for programs)",
        )
    )
    if scope["type"] == "websocket":
        socket: WebSocket[Any] = WebSocket(scope, receive, send)
        await socket.send_denial_response(response)
    else:
        await response(scope, receive, send)

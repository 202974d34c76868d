"""How a request reached the server: from this machine, or through something that others use."""

import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from pyk8s.wire.hosts import is_loopback_host

FORWARDED_HOST = "x-forwarded-host"
FORWARDED_FOR = "x-forwarded-for"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^][:/@]+)(?::\d*)?")


def shows_others(headers: Headers, *, in_container: bool) -> bool:
    """Return whether a request's headers show a host or a proxy that other machines use.

    For a server whose settings name none. A proxy that adds no header and sends its own Host
    cannot be seen here; only the settings can name it. `in_container`: the page's container hands
    requests on, so the Host is a name without dots of the private network, and the address that
    the page saw is the container network's gateway.
    """
    forwarded_hosts = _listed(headers, FORWARDED_HOST)
    for host in (*forwarded_hosts, *headers.getlist("host")):
        name = _hostname(host)
        is_internal = in_container and name.isidentifier()
        if not (is_loopback_host(name) or is_internal):
            return True
    origin = headers.get("origin")
    if origin is not None and not is_loopback_host(urlsplit(origin).hostname or origin):
        return True
    for address in _listed(headers, FORWARDED_FOR):
        if not (is_loopback_host(address) or (in_container and is_private(address))):
            return True
    if forwarded_hosts:
        return "forwarded" in headers
    return any(
        name in {"forwarded", "via", "x-real-ip"} or name.startswith("x-forwarded-")
        for name in headers
    )


def peer(connection: HTTPConnection[Any]) -> str:
    """Return the address that the connection came from; behind a proxy it is the proxy's."""
    return connection.client.host if connection.client is not None else ""


def _listed(headers: Headers, name: str) -> list[str]:
    return [part.strip() for value in headers.getlist(name) for part in value.split(",")]


def _hostname(host: str) -> str:
    found = _HOST.fullmatch(host)
    return found[1] if found is not None else ""


def is_private(address: str) -> bool:
    """Return whether an address is one of a private network."""
    try:
        return ip_address(address).is_private
    except ValueError:
        return False

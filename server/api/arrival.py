"""How a request reached the server: from this machine, or through something that others use."""

import re
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from pyk8s.wire.hosts import is_loopback_host

FORWARDED_HOST: Final = "x-forwarded-host"
PROXY_HEADERS: Final = frozenset(
    {
        "cdn-loop",
        "client-ip",
        "do-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "forwarded-for",
        "proxy-client-ip",
        "true-client-ip",
        "via",
        "wl-proxy-client-ip",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-azure-socketip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-host",
        "x-nf-client-connection-ip",
        "x-original-url",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-remote-addr",
        "x-remote-ip",
        "x-rewrite-url",
    }
)
"""Headers by which a reverse proxy tells for whom it asks. No browser and no client sends one."""
PROXY_PREFIXES: Final = ("cf-", "x-envoy-", "x-forwarded", "x-original-", "x-real-")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^][:/@]+)(?::\d*)?")


def shows_others(headers: Headers, *, page_host: str | None) -> bool:
    """Return whether a request's headers show a host or a proxy that other machines use.

    For a server whose settings name none. A proxy that adds no header and sends its own Host
    cannot be seen here; only the settings can name it. `page_host`: the page's container, if there
    is one, hands requests on. It sends this as Host, the Host that it was asked for as
    X-Forwarded-Host, and no other header of its own.
    """
    hosts = [_hostname(host) for host in headers.getlist("host")]
    is_of_page = hosts == [page_host] and FORWARDED_HOST in headers
    if not (is_of_page or all(map(is_loopback_host, hosts))):
        return True
    if not all(_is_loopback_origin(origin) for origin in headers.getlist("origin")):
        return True
    for name in headers:
        if name == FORWARDED_HOST and is_of_page:
            continue  # judged by its content, below
        if name in PROXY_HEADERS or name.startswith(PROXY_PREFIXES):
            return True
    return not all(is_loopback_host(_hostname(host)) for host in headers.getlist(FORWARDED_HOST))


def peer(connection: HTTPConnection[Any]) -> str:
    """Return the address that the connection came from; behind a proxy it is the proxy's."""
    return connection.client.host if connection.client is not None else ""


def _is_loopback_origin(origin: str) -> bool:
    try:
        return is_loopback_host(urlsplit(origin).hostname or origin)
    except ValueError:  # no URL, such as `http://[`
        return False


def _hostname(host: str) -> str:
    found = _HOST.fullmatch(host)
    return found[1] if found is not None else ""


def is_private(address: str) -> bool:
    """Return whether an address is one of a private network."""
    try:
        return ip_address(address).is_private
    except ValueError:
        return False

"""Which app a request is for, and the link that it brings. Pure.

All of it was typed by a stranger: what is not certain is nothing.
"""

import re
from typing import Final

from server.apps import links
from server.proxy.refusals import Headers

_HOST: Final = re.compile(rb"([a-z0-9.-]+?)\.?(?::[0-9]{1,5})?", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PLAIN: Final = re.compile(rb"[!-~]*")


def label_of(headers: Headers, domain: str) -> str | None:
    """Give the label before a domain that the one Host header names. None: it names none."""
    hosts = [value for name, value in headers if name == b"host"]
    read = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if read is None:
        return None
    label, dot, rest = read[1].decode("ascii").lower().partition(".")
    return label if dot and rest == domain and _LABEL.fullmatch(label) else None


def link_in(query: bytes) -> tuple[str | None, bytes]:
    """Take our parameter out of a query; give its value and the rest."""
    parts = query.split(b"&")
    mark = links.PARAMETER + b"="
    found = [part for part in parts if part.startswith(mark)]
    rest = b"&".join(part for part in parts if not part.startswith(mark))
    return (found[0][len(mark) :].decode("latin-1") if found else None), rest


def location_of(path: bytes, query: bytes) -> bytes:
    r"""Give where a browser goes on to after a link: never to another host.

    A browser reads `//host` and `/\host` as another host, and leaves out tabs and line ends.
    """
    if not _PLAIN.fullmatch(path + query):
        return b"/"
    return b"/" + path.lstrip(b"/\\") + (b"?" + query if query else b"")

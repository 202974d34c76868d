"""Connections to PostgreSQL: the address that was given, with the TLS that it asks for.

Everything that connects does it through here: sessions, the hints' listener, migrations, backups.
"""

import ssl
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from server.config.database_url import VERIFYING, Tls, parse
from server.errors import StartFailed

REFUSED_TLS: Final = "rejected SSL upgrade"
"""What asyncpg says when PostgreSQL has no TLS, or none for us."""


async def connect(url: str, **arguments: Any) -> asyncpg.Connection:
    """Connect without a pool.

    Raises:
        StartFailed: a file that TLS needs cannot be used.
    """
    address = parse(url)
    return await asyncpg.connect(address.plain, **_arguments(address.tls), **arguments)


def create_engine(
    url: str, *, connect_args: dict[str, Any] | None = None, **arguments: Any
) -> AsyncEngine:
    """Make an engine of SQLAlchemy.

    Raises:
        StartFailed: a file that TLS needs cannot be used.
    """
    return create_async_engine(
        driver_url(url),
        connect_args={**(connect_args or {}), **_arguments(parse(url).tls)},
        **arguments,
    )


def driver_url(url: str) -> str:
    """Write a PostgreSQL address for SQLAlchemy's asyncpg dialect, which takes no TLS from it."""
    return parse(url).plain.replace("postgresql://", "postgresql+asyncpg://", 1)


def mistrust(error: BaseException) -> str | None:
    """Say in words that TLS failed. None: it was something else."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return str(getattr(cause, "verify_message", "") or cause.reason or cause)
        if REFUSED_TLS in str(cause):
            return "it does not speak TLS"
        cause = getattr(cause, "orig", None) or cause.__cause__
    return None


def _arguments(tls: Tls) -> dict[str, Any]:
    if tls.mode is None:
        return {}
    if tls.mode not in VERIFYING and tls.certificate is None:
        return {"ssl": tls.mode}
    try:
        context = ssl.create_default_context(cafile=tls.root)
        if tls.mode not in VERIFYING:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif tls.mode == "verify-ca":
            context.check_hostname = False
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(each) for each in (tls.root, tls.certificate, tls.key) if each)
        raise StartFailed(
            f"PYK8S_DATABASE_URL names a file for TLS that cannot be used: {error} ({files})",
            fix="sslrootcert, sslcert and sslkey are files with PEM that the server can read",
        ) from error
    return {"ssl": context}

"""A site whose clusters are simulated: a real server as a process, and people who may ask it.

People are put into the database: to register hundreds would measure nothing but Argon2.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import uuid_utils.compat as uuids

from pyk8s.wire.accounts import Scope, User
from server.secrets import BEARER_PREFIX, hash_secret, new_secret
from server.store import accounts
from server.store.database import Database
from server.store.embedded import EmbeddedPostgres
from tests.faults.site import ServerProcess, Site
from tests.ports import free_port

SOCKETS_PER_PERSON = 20
"""More one user may not open on one server."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account and a token for everything that one needs here."""

    user: User
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


async def people(database: Database, count: int) -> list[Person]:
    """Make accounts with a token each."""
    made = []
    for number in range(count):
        secret = new_secret(BEARER_PREFIX)
        async with database.transaction() as session:
            user = await accounts.add_user(
                session,
                user_id=uuids.uuid7(),
                username=f"person-{number}",
                password_hash="-",
                signup=True,
            )
            assert user is not None
            await accounts.add_token(
                session,
                token_id=uuids.uuid7(),
                user_id=user.id,
                name="faults",
                secret_hash=hash_secret(secret),
                scopes=[Scope.CLUSTERS_READ, Scope.CLUSTERS_WRITE],
                lifetime=None,
            )
        made.append(Person(user, secret))
    return made


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory with a short path, which is gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="pyk8s-site-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _environment(path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYK8S_DATA_DIR": str(path / "data"),
        "PYK8S_DRIVER": "simulated",
        "PYK8S_PROXY_PORT": "0",
        "PYK8S_APPS_PORT": "0",
        "PYK8S_SIMULATED_SPEED": "20",
        "PYK8S_SIGNUP": "open",
        "PYK8S_HOST_NAME": "stage",
        "PYK8S_MAX_CREATES": "40",
        "PYK8S_MAX_CLUSTERS_PER_USER": "1000",
        "PYK8S_DEADLINE_FACTOR": "20",
        "PYK8S_LOG_FORMAT": "json",
    }


@contextlib.asynccontextmanager
async def simulated(
    database_url: str, *, server_url: str | None = None, **settings: str
) -> AsyncIterator[Site]:
    """Set a site up; no server is started. At the end nothing of it runs.

    `server_url`: the address by which the servers reach the database, if it is another one.
    """
    with private_directory() as path:
        (path / "data").mkdir()
        database = await asyncpg.connect(database_url)
        own = {"PYK8S_DATABASE_URL": server_url or database_url, "PYK8S_MIGRATE": "off"}
        site = Site(path, database, _environment(path) | own | settings)
        try:
            yield site
        finally:
            await site.server.kill()
            await site.http.aclose()
            site.database.terminate()
            site.end_runners()


@contextlib.asynccontextmanager
async def with_own_postgres(**settings: str) -> AsyncIterator[tuple[Site, str]]:
    """Start a site whose server brings its own PostgreSQL; give that one's address as well.

    The site's own connection ends with PostgreSQL, as those of the server do.
    """
    with private_directory() as path:
        data = path / "data"
        data.mkdir()
        embedded = EmbeddedPostgres(data)
        # Runs before the server does, which adopts it: the address is known from the beginning.
        url = await embedded.start()
        site = Site(path, await asyncpg.connect(url), _environment(path) | settings)
        try:
            await site.server.start()
            yield site, url
        finally:
            await site.server.kill()
            await site.http.aclose()
            site.database.terminate()
            site.end_runners()
            await embedded.remove()


@contextlib.asynccontextmanager
async def second_server(site: Site) -> AsyncIterator[ServerProcess]:
    """Give another server of the same site; it is not started either."""
    server = ServerProcess(site, free_port())
    try:
        yield server
    finally:
        await server.kill()

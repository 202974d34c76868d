"""The door: `async with Lab() as lab: cluster = await lab.clusters.create("demo")`."""

import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from pyk8s.client import accounts, config
from pyk8s.client.backoff import Backoff
from pyk8s.client.clusters import Clusters
from pyk8s.client.credentials import Credentials
from pyk8s.client.errors import ApiProblem, Unreachable
from pyk8s.client.health import Vitals, ask
from pyk8s.client.http import Http, understand
from pyk8s.client.kept_tokens import KeptTokens, state_folder
from pyk8s.client.lifetime import path_of
from pyk8s.wire.accounts import Me
from pyk8s.wire.admin import PoolList, PoolState
from pyk8s.wire.service import Capacity, ServerInfo, Template, TemplateList


class Lab:
    """A server, as one user sees it.

    Without arguments the server and the token are those of `PYK8S_URL` and `PYK8S_TOKEN`, or
    of the last `pyk8s login`. `backoff` and `transport` are there for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        backoff: Backoff | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        environ: Mapping[str, str] | None = None,
        config_path: Path | None = None,
    ) -> None:
        """Choose the server; nothing is sent yet.

        Raises:
            ConfigProblem: the address or the file of logins cannot be used.
        """
        self._config_path = config_path or config.config_path()
        endpoint = config.resolve(
            url,
            token,
            environ=os.environ if environ is None else environ,
            config=config.load(self._config_path),
        )
        self._backoff = backoff or Backoff()
        self._transport = transport
        self._open(endpoint)

    def _open(self, endpoint: config.Endpoint) -> None:
        self._http = Http(endpoint, backoff=self._backoff, transport=self._transport)
        self.clusters = Clusters(self._http, self._backoff)
        self.tokens = accounts.Tokens(self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._http.endpoint.url

    @property
    def is_signed_in(self) -> bool:
        """Whether there is a token for this server; not whether it still works."""
        return self._http.endpoint.token is not None

    def require_private(self) -> None:
        """Raise unless a password may be sent to this server.

        Raises:
            ConfigProblem: it is another machine, reached by http, and PYK8S_ALLOW_HTTP is not yes.
        """
        self._http.endpoint.require_private()

    @property
    def kept_tokens(self) -> KeptTokens:
        """What the exec mode keeps on this machine for the present login."""
        return KeptTokens(state_folder(), self._http.endpoint)

    def credentials(self, cluster_id: UUID | str) -> Credentials:
        """Give the ways into a cluster by its id, without asking for the cluster first."""
        return Credentials(self._http, path_of(cluster_id))

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Give the API's own JSON for a path under /api/v1. Raises as any call."""
        return await self._http.document("GET", path, params=params or None)

    async def vitals(self) -> Vitals:
        """How the server is: every check, ready or not. Raises as `health.ask`."""
        return await ask(self._http)

    async def repair_drift(
        self, differences: list[str] | None = None, *, dry_run: bool = True
    ) -> dict[str, Any]:
        """Repair what differs between database and hosts; a dry run only tells. For admins.

        Raises:
            Invalid: a difference that was named is not there any more.
            Forbidden: the caller is no administrator.
        """
        asked = {"differences": differences, "dry_run": dry_run}
        return await self._http.document("POST", "/admin/drift/repair", body=asked)

    async def pool(self) -> Sequence[PoolState]:
        """How many prebuilt clusters there are, by template. For admins.

        Raises:
            Forbidden: the caller is no administrator.
        """
        return understand(PoolList, await self.get("/admin/pool")).items

    async def set_pool(self, template: str, size: int) -> Sequence[PoolState]:
        """Say how many prebuilt clusters of a template there should be. For admins.

        Raises:
            Invalid: there is no such template, or it would be too many.
            Forbidden: the caller is no administrator.
        """
        asked = {"template": template, "size": size}
        return understand(
            PoolList, await self._http.document("PUT", "/admin/pool", body=asked)
        ).items

    async def server(self) -> ServerInfo:
        """What anybody may know of the server."""
        return understand(ServerInfo, await self.get("/server"))

    async def me(self) -> Me:
        """Who the caller is, and what they may do.

        Raises:
            Unauthenticated: the token is missing, expired or revoked.
        """
        return understand(Me, await self.get("/auth/me"))

    async def templates(self) -> Sequence[Template]:
        """The presets that a cluster can be made from."""
        return understand(TemplateList, await self.get("/templates")).items

    async def capacity(self) -> Capacity:
        """What the server can still take."""
        return understand(Capacity, await self.get("/capacity"))

    async def login(self, username: str, password: str, *, device: str | None = None) -> str:
        """Sign in, keep the token in the file of logins, use it from now on; give the user's name.

        The token is named `device`, by default after this machine. A token that this machine
        had before for this server is revoked. Raises as `accounts.sign_in`.
        """
        return await self._keep(
            await accounts.sign_in(self._http, username, password, device=device or this_device())
        )

    async def register(
        self,
        username: str,
        password: str,
        *,
        device: str | None = None,
        setup_code: str | None = None,
    ) -> str:
        """Make an account and sign in to it as `login` does. Raises as `accounts.register`.

        `setup_code`: for the first account, where `setup_code_required` of `server()` says so.
        """
        return await self._keep(
            await accounts.register(
                self._http,
                username,
                password,
                device=device or this_device(),
                setup_code=setup_code,
            )
        )

    async def logout(self) -> str | None:
        """Forget the login for this server and revoke its token; give whose it was, if any.

        Tokens that the exec mode has kept for this server are revoked and forgotten too.

        Raises:
            Unreachable: the login is forgotten, but its token still works.
        """
        remembered = config.load(self._config_path)
        login = remembered.logins.get(self.url)
        for kept in self.kept_tokens.forget_all():
            with contextlib.suppress(ApiProblem, Unreachable):  # then it ends by its time
                await self.credentials(kept.cluster_id).revoke(kept.credential_id)
        if login is None:
            return None
        config.save(self._config_path, remembered.without_login(self.url))
        await accounts.sign_out(self._http, login)
        return login.username

    async def logout_everywhere(self) -> None:
        """End every session, token and credential of the caller, and forget the login.

        Raises:
            Unauthenticated: nobody is signed in.
            Unreachable: all may still work; the login is kept, so that it can be tried again.
        """
        await self._http.document("POST", "/auth/logout", params={"everywhere": "true"})
        self.kept_tokens.forget_all()
        remembered = config.load(self._config_path)
        config.save(self._config_path, remembered.without_login(self.url))

    async def _keep(self, login: config.Login) -> str:
        remembered = config.load(self._config_path)
        former = remembered.logins.get(self.url)
        config.save(self._config_path, remembered.with_login(self.url, login))
        endpoint = replace(self._http.endpoint, token=login.token)
        if former is not None:
            await accounts.sign_out(self._http, former)
        await self._http.aclose()
        self._open(endpoint)
        return login.username


def this_device() -> str:
    """The name of a token that belongs to this machine."""
    return f"cli@{socket.gethostname()}"[:64]

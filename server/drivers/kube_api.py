"""The few questions to a new cluster's API server that tell whether it is usable."""

import asyncio
import base64
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from server.drivers import kube_http
from server.drivers.base import DriverError, Explanation
from server.drivers.kube_http import Answer, NoAnswer
from server.drivers.kube_objects import Object, condition, part, parts, text
from server.transport.resuming import resuming_like

READY_SECONDS: Final = 75.0
POLL_SECONDS: Final = 0.25
CALL_SECONDS: Final = 5.0
"""For one question with its whole answer."""
SETUP_SECONDS: Final = 30.0
"""For one question of those that a create asks once: an API server that has just started on a busy
machine may take long, and one late answer would fail the whole create."""
CONNECTIONS: Final = 4
"""At once to one API server: questions follow each other."""
FOR_JOINING: Final = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef"
"""The token with which nodes join: kind gives every cluster the same, well-known one."""

ACCOUNT: Final = "/api/v1/namespaces/default/serviceaccounts/default"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an administrator's kubeconfig holds."""

    server: str
    authority: bytes
    certificate: bytes
    key: bytes


def read_file(path: Path) -> str:
    """Read the kubeconfig that kind wrote.

    Raises:
        DriverError: it is not there.
    """
    try:
        return path.read_text()
    except OSError as error:
        raise DriverError(
            Explanation(
                code="kubeconfig_unreadable",
                title="kind wrote no kubeconfig",
                cause=f"{path.name} of the new cluster cannot be read: {error.strerror}",
                fix="create again; if it stays so, see whether the disk of the host is full",
            )
        ) from error


def read_kubeconfig(text: str) -> Credentials:
    """Read kind's kubeconfig, which has one cluster and one user.

    Raises:
        DriverError: it is not that.
    """
    try:
        config: Any = YAML(typ="safe", pure=True).load(text)
        cluster = config["clusters"][0]["cluster"]
        user = config["users"][0]["user"]
        return Credentials(
            server=str(cluster["server"]),
            authority=base64.b64decode(cluster["certificate-authority-data"]),
            certificate=base64.b64decode(user["client-certificate-data"]),
            key=base64.b64decode(user["client-key-data"]),
        )
    except (YAMLError, KeyError, IndexError, TypeError, ValueError) as error:
        raise DriverError(
            Explanation(
                code="kubeconfig_unreadable",
                title="kind wrote no usable kubeconfig",
                cause=f"the kubeconfig of the new cluster lacks something: {error}",
                fix="create again; if it stays so, see whether the disk of the host is full",
            )
        ) from error


class ApiServer:
    """An API server, asked as its administrator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, seconds: float) -> None:
        self._session = session
        self._url = url
        self._seconds = seconds

    def with_timeout(self, seconds: float) -> "ApiServer":
        """Return the same API server, over the same connections, with another time for a call."""
        return ApiServer(self._session, self._url, seconds=seconds)

    async def ask(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask one question.

        Raises:
            NoAnswer: no answer came, or one that is too long or too slow.
        """
        return await kube_http.ask(
            self._session,
            method,
            self._url + path,
            seconds=self._seconds,
            headers=headers,
            document=document,
        )


@asynccontextmanager
async def connect(
    credentials: Credentials, url: str, *, seconds: float = CALL_SECONDS
) -> AsyncIterator[ApiServer]:
    """Open a client that is the administrator, and believes the cluster's own authority only.

    `seconds`: how long each call may take, its whole answer included.
    """
    identity = credentials.certificate + b"\n" + credentials.key
    trusted = context(credentials.authority, identity)
    async with kube_http.open_session(trusted, connections=CONNECTIONS) as session:
        yield ApiServer(session, url, seconds=seconds)


def context(authority: bytes, identity: bytes | None, *, resumes: bool = False) -> ssl.SSLContext:
    """Believe one authority only, and show a certificate (PEM, with its key). None: show none.

    `resumes`: whether a connection resumes the TLS session of one before it.
    """
    context = ssl.create_default_context(cadata=authority.decode())
    if resumes:
        context = resuming_like(context, authority.decode())
    if identity is None:
        return context
    # ssl reads a key from a file only; this one (mode 0600) is gone again at once.
    descriptor, name = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(identity)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
    return context


async def wait_until_usable(
    client: ApiServer, *, nodes: int, seconds: float = READY_SECONDS
) -> None:
    """Wait until the API server is ready and so many nodes are.

    Raises:
        DriverError: that was not so in time; says what was missing.
    """
    await _until_nothing(partial(missing, client, nodes), seconds)


async def wait_for_account(client: ApiServer, *, seconds: float = READY_SECONDS) -> None:
    """Wait for the account under which pods run when they name none.

    It is made some moments after the nodes are Ready, and until then no pod can be.

    Raises:
        DriverError: it did not come in time.
    """
    await _until_nothing(partial(_missing_account, client), seconds)


async def _until_nothing(ask: Callable[[], Awaitable[str]], seconds: float) -> None:
    said = "nothing was asked yet"
    try:
        async with asyncio.timeout(seconds):
            while said:
                said = await ask()
                if said:
                    await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise DriverError(
            Explanation(
                code="not_answering",
                title="The cluster does not become usable",
                cause=f"after {seconds:g} s: {said}",
                fix="see whether the host has memory and CPU to spare, then create again",
            )
        ) from error


async def is_usable(client: ApiServer) -> bool:
    """Tell whether the API server and all nodes that it knows are ready now."""
    return not await missing(client, 1)


async def forget_bootstrap_token(client: ApiServer) -> None:
    """Delete the well-known token, so that nobody can join a node. A missing one is fine.

    Raises:
        DriverError: it could not be deleted.
    """
    try:
        answer = await client.ask("DELETE", FOR_JOINING)
        said = f"status {answer.status}"
        if answer.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND}:
            return
    except NoAnswer as error:
        said = str(error)
    raise DriverError(
        Explanation(
            code="not_hardened",
            title="The cluster could not be made safe",
            cause=f"its well-known bootstrap token could not be deleted: {said}",
            fix="create again",
        )
    )


async def missing(client: ApiServer, nodes: int) -> str:
    """Say what is missing, or nothing. `nodes` 0: they are not asked for."""
    try:
        ready = await client.ask("GET", "/readyz")
        if ready.status != HTTPStatus.OK:
            return f"the API server says {ready.status} {ready.said}"
        if not nodes:
            return ""
        listed = await client.ask("GET", "/api/v1/nodes")
        if listed.status != HTTPStatus.OK:
            return f"the list of nodes says {listed.status}"
        items = parts(listed.document(), "items")
    except NoAnswer as error:
        return f"the API server does not answer: {error}"
    waiting = [text(part(each, "metadata"), "name") for each in items if not _is_ready(each)]
    if waiting:
        return f"not Ready: {kube_http.printable(', '.join(waiting))}"
    return "" if len(items) >= nodes else f"{len(items)} of {nodes} nodes are there"


async def _missing_account(client: ApiServer) -> str:
    try:
        found = await client.ask("GET", ACCOUNT)
    except NoAnswer as error:
        return f"the API server does not answer: {error}"
    return "" if found.status == HTTPStatus.OK else "there is no service account yet"


def _is_ready(node: Object) -> bool:
    return condition(node, "Ready") == "True"

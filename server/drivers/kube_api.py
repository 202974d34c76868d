"""The few questions to a new cluster's API server that tell whether it is usable."""

import asyncio
import base64
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from server.drivers.base import DriverError, Explanation

READY_SECONDS: Final = 75.0
POLL_SECONDS: Final = 0.25
CALL_SECONDS: Final = 5.0
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


@asynccontextmanager
async def connect(
    credentials: Credentials, url: str, *, seconds: float = CALL_SECONDS
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that is the administrator, and believes the cluster's own authority only.

    `seconds`: how long each call may take.
    """
    identity = credentials.certificate + b"\n" + credentials.key
    async with httpx.AsyncClient(
        base_url=url,
        verify=context(credentials.authority, identity),
        timeout=seconds,
        trust_env=False,
    ) as client:
        yield client


def context(authority: bytes, identity: bytes) -> ssl.SSLContext:
    """Believe one authority only, and show a certificate (PEM, with its key)."""
    context = ssl.create_default_context(cadata=authority.decode())
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
    client: httpx.AsyncClient, *, nodes: int, seconds: float = READY_SECONDS
) -> None:
    """Wait until the API server is ready and so many nodes are.

    Raises:
        DriverError: that was not so in time; says what was missing.
    """
    await _until_nothing(partial(missing, client, nodes), seconds)


async def wait_for_account(client: httpx.AsyncClient, *, seconds: float = READY_SECONDS) -> None:
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


async def is_usable(client: httpx.AsyncClient) -> bool:
    """Tell whether the API server and all nodes that it knows are ready now."""
    return not await missing(client, 1)


async def forget_bootstrap_token(client: httpx.AsyncClient) -> None:
    """Delete the well-known token, so that nobody can join a node. A missing one is fine.

    Raises:
        DriverError: it could not be deleted.
    """
    try:
        answer = await client.delete(FOR_JOINING)
        said = f"status {answer.status_code}"
        if answer.status_code in {HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND}:
            return
    except httpx.HTTPError as error:
        said = str(error) or type(error).__name__
    raise DriverError(
        Explanation(
            code="not_hardened",
            title="The cluster could not be made safe",
            cause=f"its well-known bootstrap token could not be deleted: {said}",
            fix="create again",
        )
    )


async def missing(client: httpx.AsyncClient, nodes: int) -> str:
    """Say what is missing, or nothing. `nodes` 0: they are not asked for."""
    try:
        ready = await client.get("/readyz")
        if ready.status_code != HTTPStatus.OK:
            return f"the API server says {ready.status_code} {ready.text[:200]}"
        if not nodes:
            return ""
        listed = await client.get("/api/v1/nodes")
        if listed.status_code != HTTPStatus.OK:
            return f"the list of nodes says {listed.status_code}"
        items = listed.json()["items"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return f"the API server does not answer: {str(error) or type(error).__name__}"
    waiting = [item["metadata"]["name"] for item in items if not _is_ready(item)]
    if waiting:
        return f"not Ready: {', '.join(waiting)}"
    return "" if len(items) >= nodes else f"{len(items)} of {nodes} nodes are there"


async def _missing_account(client: httpx.AsyncClient) -> str:
    try:
        found = await client.get(ACCOUNT)
    except httpx.HTTPError as error:
        return f"the API server does not answer: {str(error) or type(error).__name__}"
    return "" if found.status_code == HTTPStatus.OK else "there is no service account yet"


def _is_ready(node: Any) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

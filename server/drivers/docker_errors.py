"""What Docker's errors mean: which are none, and how the others are told to a person."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from aiodocker.exceptions import DockerError

from server.drivers.base import Explanation


def unreachable(error: BaseException, url: str, seconds: float | None = None) -> Explanation:
    """Tell apart why Docker does not answer. `seconds`: how long it was waited for."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, PermissionError):
        return Explanation(
            code="docker_permission",
            title="The server may not use Docker",
            cause=f"{url} refused this user: permission denied",
            fix="add the user to the group `docker` (sudo usermod -aG docker $USER, then sign in "
            "anew); in a container, build it with "
            "DOCKER_GID=$(getent group docker | cut -d: -f3)",
        )
    if isinstance(error, asyncio.TimeoutError):
        said = f"no answer from {url}" + (f" in {seconds:g} s" if seconds else "")
    else:
        said = f"{url}: {getattr(cause, 'strerror', None) or cause}"
    return Explanation(
        code="docker_unreachable",
        title="Docker does not answer",
        cause=said,
        fix="start Docker (systemctl start docker) and see that `docker info` works; "
        "if it listens elsewhere, set PYK8S_DOCKER_URL",
    )


@contextmanager
def missing_is_fine() -> Iterator[None]:
    """Take no offence at Docker's 404: what is to go is gone."""
    try:
        yield
    except DockerError as error:
        gone = error.status == HTTPStatus.NOT_FOUND or "is not connected to" in error.message
        if not gone and "already in progress" not in error.message:
            raise

"""The log of a container, as the API server gives it: bounded, or followed without an end."""

import asyncio
import codecs
from collections.abc import AsyncGenerator
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import aiohttp
import orjson

from server.drivers.kube_http import in_words
from server.drivers.kube_objects import NOTHING, Object, text
from server.errors import ClusterAway, LogUnavailable, NotFound
from server.resources.watching import Upstream

MOST_BYTES: Final = 8 * 1024 * 1024
"""A log that is not followed is no longer than this."""
ANSWER_SECONDS: Final = 20.0
"""So long the API server and the kubelet may take to begin."""


async def open_log(
    upstream: Upstream,
    namespace: str,
    pod: str,
    *,
    container: str | None,
    follow: bool,
    tail_lines: int,
    previous: bool,
) -> AsyncGenerator[str, None]:
    """Ask for a log; give its text as it comes. The names are valid ones of Kubernetes.

    Close what is given, also when nothing was read from it.

    Raises:
        NotFound: there is no such pod.
        LogUnavailable: the container has no such log, or not yet; or which one is not said.
        ClusterAway: the API server does not answer.
    """
    query = {"tailLines": str(tail_lines)}
    query |= {"container": container} if container else {}
    query |= {"previous": "true"} if previous else {}
    query |= {"follow": "true"} if follow else {"limitBytes": str(MOST_BYTES)}
    url = f"{upstream.url}/api/v1/namespaces/{namespace}/pods/{pod}/log"
    # No limit in total: a log that is followed may say nothing for days.
    patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=None)
    try:
        answer = await _begin(upstream, url, query, patience)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ClusterAway(
            f"the cluster does not answer: {in_words(error)}",
            fix="see whether it is paused or overloaded, then try again",
            retry_after=2,
        ) from error
    pieces = _pieces(upstream, answer)
    await anext(pieces)  # so that closing it closes the answer
    return pieces


async def _begin(
    upstream: Upstream, url: str, query: dict[str, str], patience: aiohttp.ClientTimeout
) -> aiohttp.ClientResponse:
    async with asyncio.timeout(ANSWER_SECONDS):
        answer = await upstream.session.get(
            url, params=query, allow_redirects=False, timeout=patience
        )
        if answer.status == HTTPStatus.OK:
            return answer
        async with answer:
            said = _message(await answer.content.read(4096))
    if answer.status == HTTPStatus.NOT_FOUND:
        raise NotFound(said or "there is no such pod", fix="look at the list of pods")
    if answer.status == HTTPStatus.BAD_REQUEST:
        raise LogUnavailable(
            said or "there is no such log",
            fix="name one of the pod's containers; one that waits has no log yet",
        )
    raise ClusterAway(
        f"the cluster's API server says {answer.status}: {said or 'nothing'}",
        fix="try again in a moment",
        retry_after=2,
    )


async def _pieces(upstream: Upstream, answer: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
    """Give the text, whole characters at a time; an empty one first. `upstream` is held."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    try:
        yield ""
        # A log that breaks off ends there: the reader asks again.
        with suppress(aiohttp.ClientError, OSError):
            async for chunk in answer.content.iter_any():
                if piece := decoder.decode(chunk):
                    yield piece
        if rest := decoder.decode(b"", final=True):
            yield rest
    finally:
        answer.close()
        del upstream


def _message(body: bytes) -> str:
    try:
        found: Object = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = NOTHING
    return text(found, "message", 300) if isinstance(found, dict) else ""

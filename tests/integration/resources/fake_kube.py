"""An API server of Kubernetes that does what a test says: lists, watches, and what goes wrong."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Object = dict[str, Any]
LISTS = (
    "/api/v1/nodes",
    "/api/v1/namespaces",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/batch/v1/jobs",
    "/apis/batch/v1/cronjobs",
    "/api/v1/pods",
    "/api/v1/services",
    "/api/v1/events",
)
PODS, EVENTS = "/api/v1/pods", "/api/v1/events"


def pod(name: str, phase: str = "Running", **more: Any) -> Object:
    """Make a pod."""
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase}} | more


def event(name: str, seen: str) -> Object:
    """Make an event."""
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"metadata": metadata, "reason": "Tested", "lastTimestamp": seen}


class FakeKube:
    """Made by `fake_kube`. What was asked is counted in `asked`, by verb and path."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Counter[tuple[str, str]] = Counter()
        self.objects: dict[str, dict[str, Object]] = {path: {} for path in LISTS}
        self.missing: set[str] = set()
        """Paths that this Kubernetes does not know."""
        self.failing = 0
        """Answer this status to everything."""
        self.log: asyncio.Queue[bytes | None] = asyncio.Queue()
        """What a followed log says; None: it is over."""
        self.log_queries: list[dict[str, str]] = []
        self.logs = 0
        """So many logs are followed now."""
        self.is_endless = False
        """Every page of a list says that another one follows."""
        self._version = 100
        self._history: list[tuple[int, str, str, Object]] = []
        self._oldest = 0
        self._watches: dict[asyncio.Queue[bytes | None], str] = {}
        self._runs = asyncio.Event()
        self._runs.set()

    @property
    def watches(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def put(self, path: str, given: Object) -> None:
        """Create or change an object."""
        uid = given["metadata"]["uid"]
        kind = "MODIFIED" if uid in self.objects[path] else "ADDED"
        self.objects[path][uid] = self._happened(path, kind, given)

    def delete(self, path: str, uid: str) -> None:
        """Delete an object."""
        self._happened(path, "DELETED", self.objects[path].pop(uid))

    def forget(self, *, quietly: bool = False) -> None:
        """Compact: nobody can go on from before now. Open watches are told so."""
        if quietly:
            self._oldest = self._version
            return
        self._version += 1
        self._oldest = self._version
        status = {"kind": "Status", "code": 410, "reason": "Expired"}
        for queue in self._watches:
            queue.put_nowait(_line("ERROR", status))

    def bookmark(self) -> None:
        """Tell all watches how far they are."""
        self._version += 1
        for queue in self._watches:
            queue.put_nowait(_line("BOOKMARK", {"metadata": {"resourceVersion": self._now}}))

    def send_raw(self, path: str, raw: bytes) -> None:
        """Say anything at all to the watches of a path."""
        for queue, watched in self._watches.items():
            if watched == path:
                queue.put_nowait(raw)

    def cut(self) -> None:
        """End all watches."""
        for queue in self._watches:
            queue.put_nowait(None)

    def pause(self) -> None:
        """Keep all connections, and say nothing."""
        self._runs.clear()

    def resume(self) -> None:
        """Go on."""
        self._runs.set()

    @property
    def _now(self) -> str:
        return str(self._version)

    def _happened(self, path: str, kind: str, given: Object) -> Object:
        self._version += 1
        stamped = given | {"metadata": given["metadata"] | {"resourceVersion": self._now}}
        self._history.append((self._version, path, kind, stamped))
        for queue, watched in self._watches.items():
            if watched == path:
                queue.put_nowait(_line(kind, stamped))
        return stamped

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer anything."""
        verb = "watch" if "watch" in request.query else "get"
        self.asked[verb, request.path] += 1
        await self._runs.wait()
        if self.failing:
            return web.json_response({"message": "etcd is gone"}, status=self.failing)
        if request.path == "/livez":
            return web.Response(text="ok")
        if request.path.endswith("/log"):
            return await self._log(request)
        if request.path not in self.objects or request.path in self.missing:
            return web.json_response({"message": "no such thing"}, status=404)
        return await (self._watch if verb == "watch" else self._list)(request)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        items = list(self.objects[request.path].values())
        start = int(request.query.get("continue", "0"))
        end = start + int(request.query["limit"])
        metadata = {"resourceVersion": self._now}
        if end < len(items) or self.is_endless:
            metadata["continue"] = str(end)
        return web.json_response({"metadata": metadata, "items": items[start:end]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        version = int(request.query["resourceVersion"])
        if version < self._oldest:
            return web.json_response({"code": 410, "message": "too old"}, status=410)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        for at, path, kind, given in self._history:
            if at > version and path == request.path:
                queue.put_nowait(_line(kind, given))
        response = web.StreamResponse()
        await response.prepare(request)
        self._watches[queue] = request.path
        try:
            while (line := await queue.get()) is not None:
                await self._runs.wait()
                await response.write(line)
        finally:
            del self._watches[queue]
        return response

    async def _log(self, request: web.Request) -> web.StreamResponse:
        self.log_queries.append(dict(request.query))
        if "missing" in request.path:
            return web.json_response({"message": 'pods "missing" not found'}, status=404)
        if request.query.get("container") == "late":
            return web.json_response({"message": "container is waiting to start"}, status=400)
        if request.query.get("follow") != "true":
            return web.Response(body=b"one\ntwo\n")
        response = web.StreamResponse()
        await response.prepare(request)
        self.logs += 1
        try:
            while (said := await self.log.get()) is not None:
                await response.write(said)
        finally:
            self.logs -= 1
        return response


def _line(kind: str, given: Object) -> bytes:
    return json.dumps({"type": kind, "object": given}).encode() + b"\n"


@asynccontextmanager
async def fake_kube(context: ssl.SSLContext | None = None) -> AsyncIterator[FakeKube]:
    """Serve on a loopback port."""
    kube = FakeKube()
    app = web.Application()
    app.router.add_get("/{path:.*}", kube.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    scheme = "https" if context is not None else "http"
    kube.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield kube
    finally:
        kube.resume()
        kube.cut()
        await runner.cleanup()

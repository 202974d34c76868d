"""A server with one of everything, and a right request for every route."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from pyk8s.wire.accounts import Register
from server.api.endpoint import Endpoint
from server.api.routes import ENDPOINTS
from server.config import Settings
from tests.archives import image_archive
from tests.integration import hostile
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.integration.resources.authority import make_authority
from tests.integration.resources.conftest import lead_into
from tests.integration.resources.fake_kube import fake_kube
from tests.integration.terminals import terminal
from tests.ports import free_port

TOKEN = {"name": "x", "scopes": ["access"]}


@dataclass(slots=True)
class World:
    """A server with one of everything. `path`: what the placeholders of the table stand for."""

    server: LabServer
    ann: Caller
    path: dict[str, str]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"proxy_port": free_port(), "apps_port": free_port(), "max_clusters_per_user": 40}
    )


@pytest.fixture
async def world(settings: Settings, tmp_path: Path) -> AsyncIterator[World]:
    authority = make_authority(tmp_path)
    async with fake_kube(authority.context) as kube, serving(settings) as server:
        ann = await sign_up(server, "ann")
        async with ann.http:
            made = await ann.create(name="demo")
            await ann.create(name="hanging", labels={"simulate": "hang"})
            await ann.create(name="failed", labels={"simulate": "fail-start"})
            await ann.until("failed", "failed")
            await ann.until("demo", "ready")
            await lead_into(server, made["id"], kube, authority)
            url = f"/api/v1/clusters/{made['id']}"

            async def post(path: str, body: dict[str, Any]) -> str:
                answer = await ann.http.post(path, json=body)
                assert answer.status_code == 201, answer.text
                return str(answer.json()["id"])

            async with terminal(ann, "demo") as attached:
                yield World(
                    server,
                    ann,
                    {
                        "id_or_name": made["id"],
                        "token_id": await post("/api/v1/tokens", TOKEN),
                        "credential_id": await post(f"{url}/credentials", {}),
                        "app_id": await post(f"{url}/apps", {"target": "web", "port": 80}),
                        "terminal_id": attached.session,
                        "namespace": "default",
                        "pod": "web",
                    },
                )


_SPECIAL = {"evidence": "failed", "retry": "failed", "cancel": "hanging"}
"""What a cluster has to be in another phase for."""

_LAST = (
    "retry",
    "pause",
    "resume",
    "cancel",
    "end_links",
    "unpublish",
    "revoke_credential",
    "close",
    "revoke_token",
    "delete",
    "logout",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A right request, and its answer."""

    endpoint: Endpoint
    url: str
    body: dict[str, Any] | None
    answer: httpx.Response


async def ask_everything(
    world: World, bodies: Mapping[type[BaseModel], dict[str, Any]] = hostile.VALID
) -> AsyncIterator[Asked]:
    """Ask every route for what it is for; what ends something comes last."""
    by_rank = sorted(
        ENDPOINTS,
        key=lambda each: _LAST.index(name) if (name := each.handler.__name__) in _LAST else -1,
    )
    for endpoint in by_rank:
        name = endpoint.handler.__name__
        cluster = _SPECIAL.get(name, world.path["id_or_name"])
        url = endpoint.path.format(**{**world.path, "id_or_name": cluster})
        sent: dict[str, Any] = {}
        if isinstance(endpoint.body, type):
            sent["json"] = bodies[endpoint.body]
            if endpoint.body is Register:
                sent["json"] = {**sent["json"], "username": "yves"}
        elif endpoint.body is not None:
            sent = {"content": image_archive(), "headers": {"Content-Type": "application/x-tar"}}
        answer = await world.ann.http.request(endpoint.method, url, **sent)
        yield Asked(endpoint, url, sent.get("json"), answer)

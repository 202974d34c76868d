"""What the kind driver asks and says, without kind."""

import asyncio
import base64
import os
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from server.admission import GIB, Space
from server.drivers import kind_facts, kube_http
from server.drivers.base import DriverError, Usage
from server.drivers.docker import DockerEngine, version_of
from server.drivers.docker_errors import unreachable
from server.drivers.host import Host
from server.drivers.kind_facts import find_kind
from server.drivers.kind_usage import space_of, usage_of
from server.drivers.kube_api import (
    FOR_JOINING,
    ApiServer,
    forget_bootstrap_token,
    read_kubeconfig,
    wait_for_account,
    wait_until_usable,
)
from server.drivers.kube_http import Answer, NoAnswer


class PlayedServer(ApiServer):
    """Answers each question with the next of the given answers, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = [*answers]
        self.asked: list[tuple[str, str]] = []

    async def ask(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.asked.append((method, path))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def listed(*items: Any) -> Answer:
    return Answer(200, orjson.dumps({"items": items}))


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("kindest/node:v1.36.4", "v1.36.4"),
        ("registry.example:5000/kindest/node:v1.36.4-lab", "v1.36.4"),
        (kind_facts.DEFAULT_IMAGE, "v1.37.0"),
        ("kindest/node:latest", None),
        ("kindest/node@sha256:" + "0" * 64, None),
    ],
)
def test_the_version_in_an_images_name(image: str, version: str | None) -> None:
    assert version_of(image) == version


@pytest.mark.parametrize(
    ("docker_gib", "here_gib", "available"), [(24, 23, 20), (8, 24, None), (24, None, None)]
)
def test_what_is_available_is_known_of_the_same_machine_only(
    docker_gib: int, here_gib: int | None, available: int | None
) -> None:
    here = Host(
        disk_path="/",
        memory_total=here_gib * GIB if here_gib is not None else None,
        memory_available=20 * GIB,
    )
    space = space_of({"NCPU": 4, "MemTotal": docker_gib * GIB}, here)
    assert space.cpus == 4
    assert space.memory_total == docker_gib * GIB
    assert space.memory_available == (available * GIB if available is not None else None)
    assert space_of({}, here) == Space(cpus=None, memory_total=None, memory_available=None)


def test_memory_is_counted_without_cache_in_both_kinds_of_cgroups() -> None:
    v1 = {"memory_stats": {"usage": 900, "stats": {"total_inactive_file": 300}}}
    v2 = {"memory_stats": {"usage": 900, "stats": {"inactive_file": 200}}}
    cpu = {"cpu_stats": {"cpu_usage": {"total_usage": 28_000_000_000}}}
    assert usage_of(v1 | cpu) == Usage(memory_bytes=600, cpu_seconds=28.0)
    assert usage_of(v2) == Usage(memory_bytes=700, cpu_seconds=0.0)
    assert usage_of({"memory_stats": {}}) == Usage(memory_bytes=0, cpu_seconds=0.0)


def test_without_kind_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DriverError) as caught:
        find_kind(None)
    assert caught.value.explanation.code == "kind_missing"
    assert "PYK8S_DRIVER=simulated" in caught.value.explanation.fix
    for name, code in (("kind", "docker_client_missing"), ("docker", None)):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        if code is None:
            assert find_kind(None) == tmp_path / "kind"
        else:
            with pytest.raises(DriverError) as caught:
                find_kind(None)
            assert caught.value.explanation.code == code


async def test_no_docker_is_a_check_that_fails_with_a_fix(tmp_path: Path) -> None:
    kind = tmp_path / "kind"
    kind.write_text("#!/bin/sh\necho kind v0 test\n")
    kind.chmod(0o755)
    docker = DockerEngine(f"unix://{tmp_path}/nowhere.sock")
    try:
        facts = await kind_facts.facts(docker, kind=kind, node_image=None)
    finally:
        await docker.close()
    checks = {check.name: check for check in facts.checks}
    assert not checks["docker"].ok
    assert "PYK8S_DOCKER_URL" in (checks["docker"].fix or "")
    assert checks["kind"].detail == "kind v0 test"
    assert "node_image" not in checks  # nobody knows
    assert facts.space == Space(cpus=None, memory_total=None, memory_available=None)
    assert facts.default_kubernetes_version == "v1.37.0"


async def test_a_broken_kind_is_a_check_that_fails(tmp_path: Path) -> None:
    kind = tmp_path / "kind"
    kind.write_text("#!/bin/sh\nexit 1\n")
    kind.chmod(0o755)
    docker = DockerEngine(f"unix://{tmp_path}/nowhere.sock")
    facts = await kind_facts.facts(docker, kind=kind, node_image="my/node:v1.30.1")
    await docker.close()
    assert not next(check for check in facts.checks if check.name == "kind").ok
    assert facts.node_images == {"v1.30.1": "my/node:v1.30.1"}
    assert facts.default_kubernetes_version == "v1.30.1"


def test_a_refusal_by_the_socket_names_the_group() -> None:
    refused = aiohttp.ClientConnectorError(
        aiohttp.client_reqrep.ConnectionKey("", 0, False, True, None, None, None),
        PermissionError(13, os.strerror(13)),
    )  # fmt: skip
    why = unreachable(refused, "unix:///var/run/docker.sock")
    assert why.code == "docker_permission"
    assert "DOCKER_GID" in why.fix
    assert unreachable(TimeoutError(), "tcp://x").code == "docker_unreachable"


def kubeconfig(**without: str) -> str:
    data = base64.b64encode(b"pem").decode()
    lines = {
        "certificate-authority-data": data,
        "server": "https://127.0.0.1:34017",
        "client-certificate-data": data,
        "client-key-data": data,
    }
    kept = {name: value for name, value in lines.items() if name not in without.values()}
    cluster = "".join(
        f"    {name}: {value}\n" for name, value in kept.items() if not name.startswith("client")
    )
    user = "".join(
        f"    {name}: {value}\n" for name, value in kept.items() if name.startswith("client")
    )
    return (
        f"clusters:\n- name: c\n  cluster:\n{cluster}    x: y\n"
        f"users:\n- name: u\n  user:\n{user}    x: y\n"
    )


def test_a_kubeconfig_is_read() -> None:
    read = read_kubeconfig(kubeconfig())
    assert read.server == "https://127.0.0.1:34017"
    assert read.key == b"pem"


@pytest.mark.parametrize("text", ["", "[", "clusters: []", kubeconfig(no="client-key-data")])
def test_a_kubeconfig_that_is_none(text: str) -> None:
    with pytest.raises(DriverError):
        read_kubeconfig(text)


def node(name: str, status: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": status}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


async def test_waiting_until_every_node_is_ready() -> None:
    api = PlayedServer(
        Answer(500, b"etcd not ready"),
        Answer(200, b"ok"),
        listed(node("a", "True"), node("b", "False")),
        Answer(200, b"ok"),
        listed(node("a", "True"), node("b", "True")),
    )
    await wait_until_usable(api, nodes=2, seconds=10)
    assert api.asked == [("GET", path) for path in ("/readyz", *("/readyz", "/api/v1/nodes") * 2)]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([node("a", "False")], "not Ready: a"),
        ([], "0 of 1 nodes"),
        ([5, None, {"metadata": "x", "status": [], "spec": {}}], "not Ready: "),
        ([{"status": {"conditions": [7, {"type": "Ready"}]}}], "not Ready: "),
    ],
)
async def test_what_is_missing_is_told_when_time_is_up(items: list[Any], said: str) -> None:
    with pytest.raises(DriverError, match=said):
        await wait_until_usable(PlayedServer(listed(*items)), nodes=1, seconds=0.3)


async def test_a_cluster_in_which_no_pod_can_be_made_is_waited_for() -> None:
    api = PlayedServer(Answer(404, b""), Answer(200, b"{}"), Answer(404, b""))
    await wait_for_account(api, seconds=10)
    assert {*api.asked} == {("GET", "/api/v1/namespaces/default/serviceaccounts/default")}
    with pytest.raises(DriverError, match="no service account yet"):
        await wait_for_account(api, seconds=0.3)


@pytest.mark.parametrize("status", [HTTPStatus.OK, HTTPStatus.NOT_FOUND])
async def test_the_well_known_token_goes(status: HTTPStatus) -> None:
    api = PlayedServer(Answer(status, b""))
    await forget_bootstrap_token(api)
    assert api.asked == [("DELETE", FOR_JOINING)]


async def test_a_token_that_stays_is_an_error() -> None:
    with pytest.raises(DriverError, match="403"):
        await forget_bootstrap_token(PlayedServer(Answer(403, b"")))


async def test_a_create_has_patience_with_an_api_server_that_has_just_started() -> None:
    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer_late, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    trusted = ssl.create_default_context()
    async with listener, kube_http.open_session(trusted, connections=2) as session:
        hasty = ApiServer(session, f"http://127.0.0.1:{port}", seconds=0.1)
        with pytest.raises(NoAnswer, match="within"):
            await hasty.ask("GET", "/readyz")
        assert (await hasty.with_timeout(20).ask("GET", "/readyz")).status == HTTPStatus.OK

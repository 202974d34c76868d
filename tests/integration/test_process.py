"""The server as a process: how it starts, why it does not, how it stops, what survives."""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from server.provisioner.launch import is_alive, stop
from server.store.embedded import EmbeddedPostgres
from server.transport.listening import OPEN_FILES
from tests.ports import free_port

ACCOUNT = {"username": "ann", "password": "correct horse battery"}


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {
        "PYK8S_DATA_DIR": str(data_dir),
        "PYK8S_DRIVER": "simulated",
        "PYK8S_PROXY_PORT": "0",
        "PYK8S_APPS_PORT": "0",
        "PYK8S_LOG_FORMAT": "json",
    }
    return kept | own | settings


async def start(env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "server",
        env=env,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def refusal(env: dict[str, str]) -> str:
    """Start a server that cannot start; give what it tells."""
    process = await start(env)
    async with asyncio.timeout(60):
        _, told = await process.communicate()
    assert process.returncode == 1
    text = told.decode()
    assert "Traceback" not in text
    assert "What to do: " in text
    return text


@asynccontextmanager
async def served(env: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a server until the block ends; give its process and address once it is ready."""
    port = free_port()
    process = await start(env | {"PYK8S_PORT": str(port)})
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
            while True:
                assert process.returncode is None
                try:
                    if (await client.get(f"{url}/readyz")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def data_dir(tmp_path: Path) -> AsyncIterator[Path]:
    """A data directory whose PostgreSQL is gone after the test."""
    path = tmp_path / "data"
    yield path
    await EmbeddedPostgres(path).remove()


async def test_a_stop_takes_everything_down(data_dir: Path) -> None:
    async with served(environment(data_dir)) as (process, _):
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert not await EmbeddedPostgres(data_dir).is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_more_open_files_than_the_shell_gave(data_dir: Path) -> None:
    given, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, most), most))
    try:
        async with served(environment(data_dir)) as (process, _):
            now, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (given, most))
    assert now == min(OPEN_FILES, most)


async def test_a_kill_loses_nothing(data_dir: Path) -> None:
    async with served(environment(data_dir)) as (process, url):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            await client.post("/api/v1/auth/register", json=ACCOUNT)
            made = await client.post(
                "/api/v1/clusters", json={"name": "demo", "labels": {"simulate": "slow"}}
            )
            assert made.status_code == 202
        process.kill()
        await process.wait()
    assert await EmbeddedPostgres(data_dir).is_running()
    async with served(environment(data_dir, PYK8S_SIMULATED_SPEED="20")) as (process, url):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.post("/api/v1/auth/login", json=ACCOUNT)).status_code == 200
            async with asyncio.timeout(60):
                while True:
                    demo = (await client.get("/api/v1/clusters/demo")).json()
                    if demo["phase"] == "ready":
                        break
                    assert demo["phase"] in {"pending", "provisioning"}
                    await asyncio.sleep(0.1)
            page = (await client.get("/api/v1/clusters/demo/events?limit=5000")).json()
            seqs = [event["seq"] for event in page["items"]]
            assert seqs == list(range(1, len(seqs) + 1))
            await client.delete("/api/v1/clusters/demo")
            async with asyncio.timeout(30):
                while (await client.get("/api/v1/clusters/demo")).status_code != 404:
                    await asyncio.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def test_a_second_server_on_the_data_directory_is_refused(data_dir: Path) -> None:
    """And the first one, with its PostgreSQL, does not notice; neither does one started by hand."""
    async with served(environment(data_dir)) as (first, url):
        port = url.rpartition(":")[2]
        told = await refusal(environment(data_dir, PYK8S_PORT=str(free_port())))
        assert str(data_dir) in told
        assert f"process {first.pid}, port {port}" in told
        assert "PYK8S_DATA_DIR" in told
        by_hand = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.store.embedded", "stop", str(data_dir),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, words = await by_hand.communicate()
        assert by_hand.returncode == 1
        assert f"process {first.pid}" in words.decode()
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.get("/readyz")).status_code == 200


async def test_what_a_killed_server_started_does_not_hold_its_data_directory(
    database_url: str, data_dir: Path
) -> None:
    """A runner lives on, on purpose; the next server starts at once beside it."""
    env = environment(data_dir, PYK8S_DATABASE_URL=database_url)
    async with served(env) as (process, url), httpx.AsyncClient(base_url=url) as client:
        await client.post("/api/v1/auth/register", json=ACCOUNT)
        wish = {"name": "demo", "labels": {"simulate": "slow"}}
        assert (await client.post("/api/v1/clusters", json=wish)).status_code == 202
        async with asyncio.timeout(30):
            while not [each for each in (data_dir / "attempts").glob("*-*") if is_alive(each)]:
                await asyncio.sleep(0.05)
        [attempt] = (data_dir / "attempts").glob("*-*")
        process.kill()
        await process.wait()
    try:
        assert is_alive(attempt)
        async with served(env):
            pass
    finally:
        await stop(attempt, grace_seconds=0.5)


async def test_a_taken_port(data_dir: Path) -> None:
    holder = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = holder.sockets[0].getsockname()[1]
    told = await refusal(environment(data_dir, PYK8S_PORT=str(port)))
    assert f"127.0.0.1:{port}" in told
    assert "--port" in told
    holder.close()
    await holder.wait_closed()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PYK8S_PORT": "many"}, ["PYK8S_PORT"]),
        ({"PYK8S_DRIVER": "magic"}, ["PYK8S_DRIVER", "'kind'"]),
        ({"PYK8S_ROLES": "api,king"}, ["PYK8S_ROLES", "provisioner"]),
        ({"PYK8S_SECRET_KEY": "x"}, ["PYK8S_SECRET_KEY"]),
        ({"PYK8S_HOST": "0.0.0.0", "PYK8S_SIGNUP": "open"}, ["PYK8S_SIGNUP_PUBLIC_OK"]),
        (
            {"PYK8S_ALLOWED_ORIGINS": "https://lab.example.org", "PYK8S_SIGNUP": "open"},
            ["PYK8S_SIGNUP_PUBLIC_OK", "PYK8S_ALLOWED_ORIGINS names https://lab.example.org"],
        ),
        ({"PYK8S_DATA_DIR": "/proc/nothing"}, ["/proc/nothing", "PYK8S_DATA_DIR"]),
        ({"PYK8S_DATABASE_URL": "postgresql://u:geheim@127.0.0.1:9/x"}, ["127.0.0.1"]),
        ({"PYK8S_DRIVER": "kind", "PATH": "/nowhere"}, ["kind"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_cannot_be(data_dir: Path, settings: dict[str, str], words: list[str]) -> None:
    env = environment(data_dir, PYK8S_PORT=str(free_port())) | settings
    told = await refusal(env)
    for word in words:
        assert word in told
    assert "geheim" not in told


async def test_auto_says_why_clusters_are_simulated(data_dir: Path) -> None:
    env = environment(data_dir, PYK8S_DRIVER="auto", PATH="/nowhere")
    async with served(env) as (_, url), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        health = (await client.get("/readyz?verbose")).json()
        assert health["driver"] == "simulated"
        reason = next(check for check in health["checks"] if check["name"] == "kind")
        assert not reason["ok"]
        assert reason["fix"]


async def test_postgresql_goes_away_and_comes_back(data_dir: Path) -> None:
    """One that the server does not look after: answers are 503 with Retry-After meanwhile."""
    postgres = EmbeddedPostgres(data_dir)
    env = environment(data_dir / "server", PYK8S_DATABASE_URL=await postgres.start())
    async with (
        served(env) as (process, url),
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client,
    ):
        await client.post("/api/v1/auth/register", json=ACCOUNT)
        await postgres.stop()
        answer = await client.get("/api/v1/clusters")
        assert answer.status_code == 503
        assert json.loads(answer.text)["code"] == "unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        assert (await client.get("/healthz")).status_code == 200
        async with asyncio.timeout(30):  # what is told may be a second old
            while (await client.get("/readyz")).status_code != 503:
                await asyncio.sleep(0.1)
            while "pyk8s_ready 0.0" not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.1)
        metrics = (await client.get("/metrics")).text.splitlines()
        assert "pyk8s_ready 0.0" in metrics
        assert 'pyk8s_check_ok{check="postgresql"} 0.0' in metrics
        assert not [line for line in metrics if line.startswith("pyk8s_clusters")]
        await postgres.start()
        async with asyncio.timeout(30):
            while (await client.get("/api/v1/clusters")).status_code != 200:
                await asyncio.sleep(0.2)
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.2)
        assert process.returncode is None


async def test_a_new_server_does_not_repeat_what_the_old_one_said(data_dir: Path) -> None:
    """The host's row still tells of the other driver when the next server comes up."""
    async with served(environment(data_dir)) as (process, _):
        postgres = await asyncpg.connect(await EmbeddedPostgres(data_dir).start())
        await postgres.execute("UPDATE hosts SET driver = 'kind', heartbeat_at = now()")
        await postgres.close()
        process.kill()
        await process.wait()
    async with (
        served(environment(data_dir)) as (_, url),
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        assert (await client.get("/readyz")).json()["driver"] == "simulated"

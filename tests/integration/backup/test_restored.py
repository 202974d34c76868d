"""After a restore elsewhere everything is as it was, kubeconfigs included."""

import asyncio
import base64
import io
import json
import ssl
import stat
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from alembic import command
from cryptography.fernet import Fernet
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed

from pyk8s.client.kubeconfig_text import read
from server.backup.container import DATA, DATABASE, Refused, entries
from server.backup.files import KEPT, SKIPPED, kept_in
from server.backup.restoring import restore
from server.backup.taking import take
from server.config import Settings
from server.errors import StartFailed
from server.store import migrate
from server.store.connecting import driver_url
from tests.conftest import administrator, with_database
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.integration.test_migrations import migrate as migrated
from tests.ports import free_port

OLDEST = "f039d5916753"


@pytest.fixture
async def empty_url(postgres: str) -> AsyncIterator[str]:
    """A database with nothing in it."""
    name = f"empty_{uuid4().hex}"
    async with administrator(postgres) as connection:
        await connection.execute(f'CREATE DATABASE "{name}"')
    yield with_database(postgres, name)
    async with administrator(postgres) as connection:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def before(settings: Settings) -> Settings:
    """The server that is backed up, with a proxy."""
    return settings.model_copy(update={"proxy_port": free_port()})


@pytest.fixture
def after(before: Settings, empty_url: str, tmp_path: Path) -> Settings:
    """The same server on another, empty machine."""
    changes = {"data_dir": tmp_path / "restored", "database_url": SecretStr(empty_url)}
    return before.model_copy(update=changes)


async def read_all(http: httpx.AsyncClient, cluster_id: str) -> dict[str, Any]:
    """Read what a person knows of a cluster."""
    base = f"/api/v1/clusters/{cluster_id}"
    cluster = (await http.get(base)).json()
    events = (await http.get(f"{base}/events?limit=5000")).json()
    log = (await http.get(f"{base}/log")).text
    credentials = (await http.get(f"{base}/credentials")).json()
    assert len(events["items"]) > 10
    assert "Ready" in log
    epochs = {cluster.pop("epoch"), events.pop("epoch")}
    assert len(epochs) == 1
    known = {"cluster": cluster, "events": events, "log": log, "credentials": credentials}
    return {"known": known, "epoch": epochs.pop(), "seq": cluster["last_seq"]}


async def through_the_proxy(kubeconfig: str) -> int:
    """Ask as kubectl does; return the status. 503: let in, but a simulated cluster has no API."""
    document: Any = read(kubeconfig)
    [cluster] = document["clusters"]
    [user] = document["users"]
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
    trusted = ssl.create_default_context(cadata=authority)
    async with httpx.AsyncClient(verify=trusted, trust_env=False, timeout=20) as http:
        answer = await http.get(
            cluster["cluster"]["server"] + "/api/v1/nodes",
            headers={"Authorization": f"Bearer {user['user']['token']}"},
        )
    return answer.status_code


async def database_in(file: io.BytesIO) -> dict[str, bytes]:
    """Return the rows in a backup."""
    return {
        entry.name: entry.content.read()
        for entry in entries(file)
        if entry.name.startswith(DATABASE)
    }


def moved(server: LabServer, caller: Caller) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=server.base_url,
        headers={"Authorization": f"Bearer {caller.token}"},
        trust_env=False,
        timeout=30,
    )


@pytest.mark.parametrize("keep_epoch", [True, False])
async def test_everything_is_as_before(
    before: Settings, after: Settings, *, keep_epoch: bool
) -> None:
    file = io.BytesIO()
    async with serving(before) as server:
        ann = await sign_up(server, "ann")
        browser = httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=30)
        account = {"username": "bob", "password": "correct horse battery"}
        assert (await browser.post("/api/v1/auth/register", json=account)).status_code == 201
        cookies = dict(browser.cookies)
        await browser.aclose()
        made = await ann.create(name="demo")
        await ann.until(made["id"], "ready")
        kubeconfig = (await ann.http.get("/api/v1/clusters/demo/kubeconfig")).text
        assert await through_the_proxy(kubeconfig) == 503
        told = await read_all(ann.http, made["id"])
        await take(before, file)  # while the server runs
        await ann.http.aclose()

    manifest = await restore(after, file, keep_epoch=keep_epoch)
    assert manifest.revision
    again = io.BytesIO()
    if keep_epoch:  # no row is changed, added or left out
        await take(after, again)
        assert await database_in(again) == await database_in(file)
    for name in KEPT:
        assert (after.data_dir / name).exists() == (before.data_dir / name).exists(), name
    key = after.data_dir / "secret.key"
    assert key.read_bytes() == (before.data_dir / "secret.key").read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600

    async with serving(after) as server, moved(server, ann) as http:
        now = await read_all(http, made["id"])
        assert now["known"] == told["known"]
        assert (now["epoch"] == told["epoch"]) is keep_epoch
        assert await through_the_proxy(kubeconfig) == 503
        session = httpx.AsyncClient(base_url=server.base_url, cookies=cookies, trust_env=False)
        async with session:
            me = (await session.get("/api/v1/auth/me")).json()
            assert me["user"]["username"] == "bob"
        back = Caller(http, ann.token, server.base_url)
        await resumes(back, made["id"], told, keep_epoch=keep_epoch)
        # What the backup knows of the machine is enough to end the cluster, too.
        assert (await http.delete("/api/v1/clusters/demo")).status_code == 202
        await back.until(made["id"], "deleted")
        assert await through_the_proxy(kubeconfig) == 401
    assert not list((after.data_dir / "simulated").iterdir())


async def resumes(ann: Caller, cluster_id: str, told: dict[str, Any], *, keep_epoch: bool) -> None:
    """Read on from the old cursor; with another epoch that is refused, and never skips silently."""
    topic = f"cluster:{cluster_id}"
    extended = await ann.http.post(f"/api/v1/clusters/{cluster_id}/extend", json={"seconds": 60})
    assert extended.status_code == 202, extended.text
    wish = {"type": "subscribe", "topic": topic, "after": told["seq"], "epoch": told["epoch"]}
    async with ann.stream() as stream, asyncio.timeout(20):
        await stream.send(json.dumps(wish))
        if not keep_epoch:
            assert json.loads(await stream.recv())["code"] == "unknown_position"
            with pytest.raises(ConnectionClosed):
                await stream.recv()
            return
        while (frame := json.loads(await stream.recv()))["type"] != "events":
            assert frame["type"] != "error", frame
        [event] = frame["events"]
        assert (event["seq"], event["type"]) == (told["seq"] + 1, "lease_extended")


async def test_a_backup_while_a_cluster_is_made_makes_a_whole_server(
    before: Settings, after: Settings
) -> None:
    """The database is of one moment; the create that was under way is taken up again."""
    before = before.model_copy(update={"simulated_speed": 5})
    file = io.BytesIO()
    async with serving(before) as server:
        ann = await sign_up(server, "ann")
        made = await ann.create(name="demo")
        await ann.until(made["id"], "provisioning")
        await take(before, file)
        await ann.http.aclose()
    await restore(after, file)
    async with serving(after) as server, moved(server, ann) as http:
        back = Caller(http, ann.token, server.base_url)
        assert (await back.until(made["id"], "ready"))["last_seq"] > 10
        page = (await http.get(f"/api/v1/clusters/{made['id']}/events?limit=5000")).json()
        seqs = [event["seq"] for event in page["items"]]
        assert seqs == list(range(1, len(seqs) + 1))


async def test_a_server_leaves_nothing_in_its_directory_that_nobody_decided_about(
    before: Settings,
) -> None:
    async with serving(before) as server:
        ann = await sign_up(server, "ann")
        await ann.until((await ann.create(name="demo"))["id"], "ready")
        await ann.http.aclose()
    assert {path.name for path in before.data_dir.iterdir()} <= {*KEPT, *SKIPPED}


async def test_what_is_not_empty_is_left_alone(before: Settings, after: Settings) -> None:
    file = io.BytesIO()
    async with serving(before) as server:
        ann = await sign_up(server, "ann")
        await take(before, file)
        with pytest.raises(StartFailed, match="in use by another server"):
            await restore(before, file, replace=True)
        elsewhere = before.model_copy(update={"data_dir": after.data_dir})
        with pytest.raises(Refused, match="a server runs on this database"):
            await restore(elsewhere, file, replace=True)
        assert (await ann.http.get("/api/v1/auth/me")).status_code == 200
        late = await sign_up(server, "late")
        for caller in (ann, late):
            await caller.http.aclose()
    kept = {path: path.read_bytes() for _, path in kept_in(before.data_dir)}

    with pytest.raises(Refused, match=r"data directory .* is not empty"):
        await restore(before, file)
    with pytest.raises(StartFailed, match="database is not empty"):
        await restore(elsewhere, file)
    assert {path: path.read_bytes() for _, path in kept_in(before.data_dir)} == kept
    assert [path.name for path in after.data_dir.iterdir()] == ["server.lock"]

    await restore(before, file, replace=True)
    async with serving(before) as server:
        async with moved(server, ann) as http:
            assert (await http.get("/api/v1/auth/me")).status_code == 200
        async with moved(server, late) as http:
            assert (await http.get("/api/v1/auth/me")).status_code == 401


async def test_a_database_of_something_else_is_never_emptied(
    before: Settings, after: Settings, empty_url: str
) -> None:
    file = io.BytesIO()
    async with serving(before):
        await take(before, file)
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE TABLE invoices AS SELECT 42 AS amount")
    with pytest.raises(StartFailed, match=r"not PyK8s Lab's: it has invoices"):
        await restore(after, file, replace=True)
    assert await connection.fetchval("SELECT amount FROM invoices") == 42
    await connection.close()
    assert [path.name for path in after.data_dir.iterdir()] == ["server.lock"]


async def test_an_older_backup_is_migrated(
    before: Settings, after: Settings, database_url: str, empty_url: str
) -> None:
    async with serving(before):
        pass  # makes keys
    connection = await asyncpg.connect(database_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrated(database_url, lambda config: command.upgrade(config, OLDEST))
    await connection.execute(
        "INSERT INTO users (id, username, password_hash) VALUES (gen_random_uuid(), 'old', '-')"
    )
    await connection.close()
    file = io.BytesIO()
    assert (await take(before, file)).revision == OLDEST
    await restore(after, file)
    assert await migrate.pending(driver_url(empty_url)) is None
    connection = await asyncpg.connect(empty_url)
    assert await connection.fetchval("SELECT count(*) FROM users WHERE username = 'old'") == 1
    await connection.close()


async def test_a_backup_of_a_newer_server_is_refused(
    before: Settings, after: Settings, database_url: str
) -> None:
    async with serving(before):
        pass
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    await connection.close()
    file = io.BytesIO()
    await take(before, file)
    with pytest.raises(Refused, match=r"newer server .*ffffffffffff is not known here"):
        await restore(after, file)
    assert not after.data_dir.exists()


async def test_a_key_that_the_environment_gives_stays_out_of_the_file(
    before: Settings, after: Settings
) -> None:
    given = SecretStr(Fernet.generate_key().decode())
    before = before.model_copy(update={"secret_key": given})
    file = io.BytesIO()
    async with serving(before):
        await take(before, file)
    assert f"{DATA}/secret.key" not in [entry.name for entry in entries(file)]
    with pytest.raises(Refused, match=r"the key .* is not in the backup"):
        await restore(after, file)
    wrong = SecretStr(Fernet.generate_key().decode())
    with pytest.raises(Refused, match="another key"):
        await restore(after.model_copy(update={"secret_key": wrong}), file)
    await restore(after.model_copy(update={"secret_key": given}), file)


async def test_a_failed_load_leaves_nothing(
    before: Settings, after: Settings, empty_url: str
) -> None:
    """Whatever goes wrong in the middle: the next try finds an empty server."""
    file = io.BytesIO()
    async with serving(before):
        await take(before, file)
    with pytest.raises(Refused, match="rows of users were loaded"):
        await restore(after, one_row_more(file, "users"))
    connection = await asyncpg.connect(empty_url)
    assert await connection.fetchval("SELECT to_regclass('users')") is None
    await connection.close()
    assert [path.name for path in after.data_dir.iterdir()] == ["server.lock"]
    await restore(after, file)


@pytest.mark.parametrize("name", ["pg_description", "alembic_version", "no_such_table"])
async def test_rows_of_no_table_of_ours_are_refused(
    before: Settings, after: Settings, empty_url: str, name: str
) -> None:
    """PostgreSQL's own catalog comes first where a table is looked for by its name alone."""
    file = io.BytesIO()
    async with serving(before):
        await take(before, file)

    def add(manifest: dict[str, Any]) -> None:
        described = {"name": name, "columns": ["description"], "rows": 0}
        manifest["tables"].append(described)

    with pytest.raises(Refused, match=f"rows of '{name}'"):
        await restore(after, with_manifest(file, add))
    await restore(after, file)


def one_row_more(file: io.BytesIO, table: str) -> io.BytesIO:
    """Let the manifest say that a table has one row more than it has."""

    def change(manifest: dict[str, Any]) -> None:
        [described] = [each for each in manifest["tables"] if each["name"] == table]
        described["rows"] += 1

    return with_manifest(file, change)


def with_manifest(file: io.BytesIO, change: Callable[[dict[str, Any]], None]) -> io.BytesIO:
    """Return a backup whose manifest is changed."""
    changed = io.BytesIO()
    file.seek(0)
    with (
        tarfile.open(fileobj=file, mode="r:gz") as old,
        tarfile.open(fileobj=changed, mode="w:gz") as new,
    ):
        for info in old:
            content = old.extractfile(info)
            assert content is not None
            data = content.read()
            if info.name == "manifest.json":
                manifest = json.loads(data)
                change(manifest)
                data = json.dumps(manifest).encode()
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return changed

"""The embedded PostgreSQL: as root and as a normal user, through a kill, and when it cannot."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from server.errors import StartFailed
from server.store.database import Database
from server.store.embedded import EmbeddedPostgres
from server.store.embedded_home import SOCKET_NAME, SOCKET_PATH_BYTES, Home

REPOSITORY = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Give a data directory under a short path (pytest's own are long and closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="pyk8s-embedded-"))
    yield path
    anyio.run(EmbeddedPostgres(path).remove)
    shutil.rmtree(path)


@pytest.fixture
def embedded(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, durable=False)


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=10, command_timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close(timeout=5)


def postmaster(data_dir: Path) -> int:
    lines = (Home.find(data_dir).data / "postmaster.pid").read_text().splitlines()
    return int(lines[0])


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


async def gone(pid: int) -> None:
    with anyio.fail_after(20):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await anyio.sleep(0.02)


async def test_starts_stops_and_keeps_its_data(embedded: EmbeddedPostgres) -> None:
    url = await embedded.start()
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    await embedded.stop()
    assert not await embedded.is_running()
    assert await ask(await embedded.start(), "SELECT answer FROM kept") == 42


async def test_sorts_and_encodes_alike_everywhere(embedded: EmbeddedPostgres) -> None:
    url = await embedded.start()
    assert await ask(url, "SHOW server_encoding") == "UTF8"
    assert await ask(url, "SELECT datlocale FROM pg_database WHERE datname = 'pyk8s'") == "C.UTF-8"
    assert await ask(url, "SHOW timezone") == "UTC"


async def test_its_address_suits_sqlalchemy(embedded: EmbeddedPostgres) -> None:
    database = Database(await embedded.start(), pool_size=1)
    try:
        await database.ping()
    finally:
        await database.close()


async def test_a_second_start_adopts_the_running_one(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    url = await embedded.start()
    before = postmaster(data_dir)
    assert await EmbeddedPostgres(data_dir, durable=False).start() == url
    assert postmaster(data_dir) == before


async def test_two_starts_at_once_make_one(data_dir: Path) -> None:
    urls: list[str] = []

    async def start() -> None:
        urls.append(await EmbeddedPostgres(data_dir, durable=False).start())

    async with anyio.create_task_group() as group:
        group.start_soon(start)
        group.start_soon(start)
    assert len(set(urls)) == 1


async def test_outlives_a_killed_server(data_dir: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        import anyio
        from server.store.embedded import EmbeddedPostgres
        print(anyio.run(EmbeddedPostgres(Path(sys.argv[1]), durable=False).start), flush=True)
        time.sleep(60)
        """
    )
    server = await anyio.open_process(
        [sys.executable, "-c", script, str(data_dir)], cwd=REPOSITORY, start_new_session=True
    )
    async with server:
        assert server.stdout is not None
        url = (await server.stdout.receive()).decode().strip()
        database = postmaster(data_dir)
        os.killpg(server.pid, signal.SIGKILL)
    assert await ask(url, "SELECT 1") == 1
    assert await EmbeddedPostgres(data_dir, durable=False).start() == url
    assert postmaster(data_dir) == database


async def test_a_commit_survives_that_it_is_killed_itself(data_dir: Path) -> None:
    embedded = EmbeddedPostgres(data_dir)
    url = await embedded.start()
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS answer")
    pid = postmaster(data_dir)
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    assert await ask(await embedded.start(), "SELECT answer FROM kept") == 7


async def test_a_process_id_from_before_a_reboot_is_no_obstacle(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    await embedded.start()
    path = Home.find(data_dir).data / "postmaster.pid"
    lines = path.read_text().splitlines()
    await embedded.stop()
    path.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    shutil.chown(path, path.parent.stat().st_uid)
    assert await ask(await embedded.start(), "SELECT 1") == 1


async def test_an_interrupted_setup_is_begun_anew(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    half = Home.find(data_dir).prepare().root / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    assert await ask(await embedded.start(), "SELECT 1") == 1


async def test_data_of_another_version_is_refused_in_words(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    await embedded.start()
    await embedded.stop()
    version = Home.find(data_dir).data / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(StartFailed, match=r"written by PostgreSQL 12, this is 18") as refused:
        await embedded.start()
    assert "pg_dump" in (refused.value.fix or "")
    version.write_text("18\n")


async def test_a_failed_start_quotes_the_log(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    await embedded.start()
    await embedded.stop()
    (Home.find(data_dir).data / "pg_hba.conf").unlink()
    with pytest.raises(StartFailed, match=r"pg_hba\.conf"):
        await embedded.start()


async def test_a_deleted_data_directory_means_a_new_database(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    await ask(await embedded.start(), "CREATE TABLE forgotten ()")
    if not IS_ROOT:
        await embedded.stop()
    empty(data_dir)
    url = await embedded.start()
    assert await ask(url, "SELECT to_regclass('forgotten')") is None


async def test_only_its_own_user_reaches_the_socket(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    await embedded.start()
    home = Home.find(data_dir)
    assert home.socket_dir.stat().st_mode & 0o077 == 0
    assert home.root.stat().st_mode & 0o077 == 0


def test_a_long_path_gets_a_short_socket() -> None:
    home = Home.find(Path("/tmp") / ("long" * 40), system_dir=Path("/tmp") / ("system" * 20))
    assert len(os.fsencode(home.socket_dir / SOCKET_NAME)) <= SOCKET_PATH_BYTES


async def test_removing_leaves_nothing(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    await embedded.start()
    root = Home.find(data_dir).root
    await embedded.remove()
    assert not root.exists()
    assert not (data_dir / "postgres").is_symlink()


def python_for(account: pwd.struct_passwd) -> str | None:
    """Find a Python of our version that another user can execute (ours may lie under /root)."""
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{same}", f"/usr/local/bin/{same}"):
        try:
            subprocess.run(
                [candidate, "-c", "import asyncpg, server.store.embedded"],
                cwd=REPOSITORY,
                env={"PYTHONPATH": os.pathsep.join(sys.path[1:])},
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=(),
                capture_output=True,
                check=True,
                timeout=60,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


@pytest.mark.skipif(not IS_ROOT, reason="not root: the other tests ran as a normal user already")
async def test_works_as_a_normal_user() -> None:
    account = pwd.getpwnam("nobody")
    python = python_for(account)
    if python is None:
        pytest.skip(f"no Python with our packages that the user {account.pw_name} can execute")
    home = Path(tempfile.mkdtemp(prefix="pyk8s-user-"))
    shutil.chown(home, account.pw_uid, account.pw_gid)
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        import anyio, asyncpg
        from server.store.embedded import EmbeddedPostgres
        async def main():
            assert os.geteuid() != 0
            embedded = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
            url = await embedded.start()
            connection = await asyncpg.connect(url)
            print(await connection.fetchval("SELECT current_setting('data_directory')"))
            await connection.close()
            await embedded.stop()
        anyio.run(main)
        """
    )
    done = await anyio.run_process(
        [python, "-c", script, str(home / "data")],
        cwd=REPOSITORY,
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=(),
        env={
            "HOME": str(home),
            "PATH": os.defpath,
            "PGDATA": "/nonexistent",
            "PYTHONPATH": os.pathsep.join(sys.path[1:]),
        },
        check=False,
    )
    shutil.rmtree(home)
    assert done.stdout.decode().strip() == str(home / "data" / "postgres" / "data"), done.stderr

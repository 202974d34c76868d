"""What every driver promises, and the worker relies on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from server.drivers.base import (
    Access,
    AttemptSpec,
    Command,
    Driver,
    DriverError,
    Shell,
    ShellWish,
)
from server.drivers.kind_output import StepTracker, plan
from tests.archives import image_archive, pieces_of


async def make_spec(driver: Driver, tmp_path: Path, **labels: str) -> AttemptSpec:
    attempt_id = uuid4()
    return AttemptSpec(
        attempt_id=attempt_id,
        cluster_id=uuid4(),
        directory=tmp_path / str(attempt_id),
        kubernetes_version=(await driver.facts()).default_kubernetes_version,
        control_planes=1,
        workers=0,
        template="default",
        labels=labels,
    )


@dataclass
class Ran:
    code: int
    lines: list[str]


async def run(command: Command) -> Ran:
    process = await asyncio.create_subprocess_exec(
        *command.argv,
        env=dict(command.env),
        cwd=command.cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(100):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode().splitlines())


async def ids(driver: Driver) -> set[UUID]:
    return {found.attempt_id for found in await driver.list_attempts()}


async def states(driver: Driver) -> set[str]:
    return {state for found in await driver.list_attempts() for state in found.nodes.values()}


async def test_facts_name_the_default_version_and_every_check_that_fails_has_a_fix(
    driver: Driver,
) -> None:
    facts = await driver.facts()
    assert facts.default_kubernetes_version in facts.node_images
    assert facts.space.memory_total
    assert facts.checks
    assert all(check.ok or check.fix for check in facts.checks)
    assert all(check.ok for check in facts.checks if check.required)


async def test_a_life_from_prepare_to_delete(driver: Driver, tmp_path: Path) -> None:
    spec = await make_spec(driver, tmp_path)
    ran = await run(await driver.prepare(spec))
    assert ran.code == 0, ran.lines
    assert spec.directory.stat().st_mode & 0o077 == 0

    steps = plan(control_planes=1, workers=0, is_tuned=True)
    tracker = StepTracker(steps)
    told = [each for line in ran.lines for each in tracker.read(line, 0)]
    ended = [each.step for each in told if each.TYPE == "step_finished"]
    assert ended == list(steps[:-1])

    access = await driver.finish(spec)
    assert isinstance(access, Access)
    assert "current-context" in access.kubeconfig
    # Asking again changes nothing but for a new certificate: a server may die right after it asked.
    again = await driver.finish(spec)
    assert replace(again, proxy_identity=access.proxy_identity) == access

    for _ in range(2):
        await driver.forget_access(spec.directory)
    kept = [path for path in spec.directory.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"client-key-data" in path.read_bytes()]

    (found,) = await driver.list_attempts()
    assert found.attempt_id == spec.attempt_id
    assert len(found.pieces) >= 2

    await it_takes_images(driver, spec.attempt_id)
    disk = await driver.disk(spec.attempt_id)
    assert disk is not None
    assert disk > 0

    for _ in range(2):
        await driver.pause(spec.attempt_id)
    assert await states(driver) == {"paused"}
    for _ in range(2):
        await driver.wake(spec.attempt_id, access.kubeconfig, with_nodes=True)
    assert await states(driver) == {"running"}
    assert await driver.answers(spec.attempt_id, access.kubeconfig)
    await driver.pause(spec.attempt_id)
    for _ in range(2):
        await driver.stop(spec.attempt_id)
    assert await states(driver) == {"exited"}
    await driver.wake(spec.attempt_id, access.kubeconfig, with_nodes=True)
    assert await states(driver) == {"running"}
    await driver.pause(spec.attempt_id)

    await driver.delete(spec.attempt_id, spec.directory)
    assert await driver.list_attempts() == []
    assert not spec.directory.exists()
    await driver.delete(spec.attempt_id, spec.directory)
    with pytest.raises(DriverError):
        await driver.finish(spec)


async def it_takes_images(driver: Driver, attempt_id: UUID) -> None:
    name = "docker.io/library/mine:1"
    archive = image_archive(name)
    assert list(await driver.load_images(attempt_id, pieces_of(archive))) == [name]
    (mine,) = [each for each in await driver.images(attempt_id) if name in each.names]
    assert mine.nodes == 1
    with pytest.raises(DriverError, match=r"unexpected EOF|cannot be read"):
        await driver.load_images(attempt_id, pieces_of(archive[:12_000]))

    async def breaks() -> AsyncIterator[bytes]:
        yield archive[:12_000]
        raise LookupError("the sender has gone")

    with pytest.raises(LookupError):
        await driver.load_images(attempt_id, breaks())
    assert await driver.load_images(attempt_id, pieces_of(archive))


async def test_what_was_only_prepared_is_found_and_removed(driver: Driver, tmp_path: Path) -> None:
    first = await make_spec(driver, tmp_path)
    second = await make_spec(driver, tmp_path)
    await driver.prepare(first)
    await driver.prepare(second)
    assert await ids(driver) == {first.attempt_id, second.attempt_id}
    await driver.delete(first.attempt_id, first.directory)
    assert await ids(driver) == {second.attempt_id}
    assert second.directory.exists()
    await driver.delete(second.attempt_id, second.directory)
    assert await ids(driver) == set()


async def test_deleting_what_never_was_is_no_error(driver: Driver, tmp_path: Path) -> None:
    await driver.delete(uuid4(), tmp_path / "never")


async def test_an_unfinished_cluster_has_no_access(driver: Driver, tmp_path: Path) -> None:
    spec = await make_spec(driver, tmp_path)
    await driver.prepare(spec)
    with pytest.raises(DriverError) as caught:
        await driver.finish(spec)
    assert caught.value.explanation.fix


async def test_a_shell_takes_what_is_typed_has_a_size_and_ends_with_a_code(
    driver: Driver, tmp_path: Path
) -> None:
    spec = await make_spec(driver, tmp_path)
    wish = ShellWish(cluster_name="brave-otter", username="ann", rows=33, cols=111)
    with pytest.raises(DriverError):
        await driver.shell(spec.attempt_id, wish)
    assert (await run(await driver.prepare(spec))).code == 0
    await driver.finish(spec)

    shell = await driver.shell(spec.attempt_id, wish)
    seen = await read_until(shell, b"brave-otter")
    size = b"size" if driver.name == "simulated" else b"stty size | tr ' ' x"
    await shell.write(size + b"\r")
    seen += await read_until(shell, b"33 rows, 111" if driver.name == "simulated" else b"33x111")
    await shell.resize(44, 122)
    await shell.write(size + b"\r")
    seen += await read_until(shell, b"44 rows, 122" if driver.name == "simulated" else b"44x122")
    if driver.name == "kind":
        await use_kubectl(shell)
    await shell.write(b"exit 9\r")
    async with asyncio.timeout(30):
        while await shell.read():
            pass
        assert await shell.exit_code() == 9
        await shell.close()
        await shell.close()
        await shell.write(b"x")
        await shell.resize(1, 1)

    hung_up = await driver.shell(spec.attempt_id, wish)
    await read_until(hung_up, b"brave-otter")
    async with asyncio.timeout(30):
        await hung_up.close()
        assert await hung_up.read() == b""


async def read_until(shell: Shell, text: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(60):
        while text not in seen:
            data = await shell.read()
            assert data, seen
            seen += data
    return seen


async def use_kubectl(shell: Shell) -> None:
    """It is there, acts as the user, and completes what is begun."""
    await shell.write(
        b"clear; kubectl auth whoami -o jsonpath='name={.status.userInfo.username}.'\r"
    )
    await read_until(shell, b"name=ann.")
    await shell.write(
        b"clear; echo may=$(k auth can-i get pods)-$(k auth can-i get pods --as b).\r"
    )
    await read_until(shell, b"may=yes-no.")
    await shell.write(b"k get pods -A\r")
    await read_until(shell, b"kube-apiserver-")
    await shell.write(b"k -n kube-sys\t get names\t kube-pub\t -o=na\t\r")
    await read_until(shell, b"namespace/kube-public")

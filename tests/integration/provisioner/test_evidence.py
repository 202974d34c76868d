"""What a failed create leaves behind: collected, bounded, harmless, used, and dropped in time."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from pyk8s.wire.cluster import Phase
from pyk8s.wire.events import LogLineEvent
from server.drivers.base import AttemptSpec, EvidenceFile
from server.drivers.simulated import SimulatedDriver
from server.provisioner import evidence
from server.store import evidence as store
from tests.integration.provisioner.conftest import Lab
from tests.integration.provisioner.test_failures import all_done


async def archive_of(lab: Lab, cluster_id: UUID) -> dict[str, str] | None:
    async with lab.database.reading() as session:
        archive = await store.archive_of(session, cluster_id)
    if archive is None:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            member.name: opened.read().decode()
            for member in tar
            if (opened := tar.extractfile(member)) is not None
        }


class TellingDriver(SimulatedDriver):
    """Its nodes tell what the test wants them to."""

    files: tuple[EvidenceFile, ...] = ()
    hangs = False
    breaks = False

    async def collect(self, spec: AttemptSpec) -> AsyncIterator[EvidenceFile]:
        assert (self._pieces / spec.kind_name).exists(), "the pieces are still there"
        for file in self.files:
            yield file
        if self.hangs:
            await asyncio.Event().wait()
        if self.breaks:
            raise ZeroDivisionError


def telling(lab: Lab, *files: tuple[str, bytes], **how: Any) -> None:
    def make() -> TellingDriver:
        driver = TellingDriver(lab.data_dir / "simulated", speed=lab.speed)
        driver.files = tuple(EvidenceFile(name, data) for name, data in files)
        for name, value in how.items():
            setattr(driver, name, value)
        return driver

    lab.make_driver = make


async def fails(lab: Lab, scenario: str = "fail-late") -> UUID:
    cluster_id = await lab.ask(simulate=scenario)
    async with lab.running():
        await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
    return cluster_id


async def test_a_failure_leaves_its_log_its_explanation_and_what_the_driver_saw(lab: Lab) -> None:
    cluster_id = await fails(lab)
    files = await archive_of(lab, cluster_id)
    assert files is not None
    assert "Creating cluster" in files["evidence/create.log"]
    assert "code: " in files["evidence/explanation.txt"]
    assert "simulated" in files["evidence/host.json"]
    assert any(name.endswith("control-plane/kubelet.log") for name in files)


async def test_the_evidence_explains_and_its_line_stands_in_the_log(lab: Lab) -> None:
    said = b"started\nkubelet[312]: running with swap on is not supported\nended\n"
    telling(lab, ("node/kubelet.log", said))
    cluster_id = await fails(lab)
    failure = (await lab.cluster(cluster_id)).failure
    assert failure is not None
    assert failure.code == "swap_on"
    assert failure.docs == "docs/howto/troubleshoot.md#swap_on"
    lines = {
        e.seq: e.data.text for e in await lab.events(cluster_id) if isinstance(e, LogLineEvent)
    }
    quoted = failure.evidence[-1]
    assert lines[quoted.seq] == quoted.text
    assert quoted.text.endswith(
        "node/kubelet.log: kubelet[312]: running with swap on is not supported"
    )


async def test_secrets_and_control_characters_do_not_get_in(lab: Lab) -> None:
    token = "abcdef.0123456789abcdef"
    said = f"\x1b[2Jtoken {token}\nAuthorization: Bearer abcdefghijkl\n".encode() + b"\xff\x00\n"
    telling(lab, ("node/kubelet.log", said))
    files = await archive_of(lab, await fails(lab))
    assert files is not None
    text = files["evidence/node/kubelet.log"]
    assert token not in text
    assert "abcdefghijkl" not in text
    assert "[redacted]" in text
    assert "\x1b" not in text
    assert "\x00" not in text


async def test_it_is_bounded_in_size(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_BYTES", 50_000)
    line = b"kubelet: a line of it\n"
    telling(lab, *((f"node/{n}.log", line * 1000) for n in range(9)))
    files = await archive_of(lab, await fails(lab))
    assert files is not None
    kept = [text for name, text in files.items() if name.startswith("evidence/node/")]
    assert len(kept) == 3
    assert sum(map(len, kept)) <= 50_000 + len(line)


async def test_a_node_that_does_not_answer_holds_nothing_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "COLLECT_SECONDS", 0.5)
    telling(lab, ("node/first.log", b"first\n"), hangs=True)
    files = await archive_of(lab, await fails(lab))
    assert files is not None
    assert files["evidence/node/first.log"] == "first\n"
    assert "evidence/INCOMPLETE.txt" in files


async def test_a_driver_that_breaks_costs_no_explanation(lab: Lab) -> None:
    telling(lab, ("node/first.log", b"first\n"), breaks=True)
    cluster_id = await fails(lab, "fail-start")
    failure = (await lab.cluster(cluster_id)).failure
    assert failure is not None
    assert failure.code == "image_missing"
    assert (await archive_of(lab, cluster_id) or {})["evidence/node/first.log"] == "first\n"


async def test_it_goes_with_the_cluster(lab: Lab) -> None:
    cluster_id = await fails(lab)
    assert await archive_of(lab, cluster_id) is not None
    async with lab.running():
        await lab.ask_to_delete(cluster_id)
        await lab.reaches(cluster_id, Phase.DELETED)
    assert await archive_of(lab, cluster_id) is None

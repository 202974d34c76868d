"""The queue: who gets which job, and what a stale worker may still do (nothing)."""

import asyncio
from uuid import UUID

import pytest
import uuid_utils.compat as uuids
from sqlalchemy import text

from pyk8s.wire.base import rfc3339
from pyk8s.wire.service import Check
from server.admission import Space
from server.errors import LostClaim, RecordedFurther
from server.store import attempts, claims, hosts, jobs, line, log_chunks
from server.store.hosts import HostFacts
from server.store.jobs import ClaimedJob, JobKind
from server.store.recording import record_lines
from tests.factories import BEGIN
from tests.integration.provisioner.conftest import Lab

FACTS = HostFacts(
    node_images={"v1.37.0": "x"},
    default_kubernetes_version="v1.37.0",
    space=Space(cpus=4, memory_total=8 * 1024**3, memory_available=7 * 1024**3),
    checks=[Check(name="docker", ok=True, detail="yes")],
)


async def host(lab: Lab, name: str = "here") -> UUID:
    async with lab.database.transaction() as session:
        return await hosts.announce(
            session, host_id=uuids.uuid7(), name=name, driver="simulated", facts=FACTS
        )


async def claim(
    lab: Lab, host_id: UUID, *, lease: float = 15, kinds: tuple[JobKind, ...] = ("create", "delete")
) -> ClaimedJob | None:
    """Claim as a worker does that has a place for whoever is next."""
    async with lab.database.transaction() as session:
        await claims.take_turn(session)
        waiting = await line.waiting(session, host_id)
        return await claims.claim(
            session,
            host_id=host_id,
            worker="w",
            lease_seconds=lease,
            kinds=kinds,
            fresh=waiting[0].job_id if waiting else None,
        )


async def test_the_oldest_first_but_deletes_before_creates(lab: Lab) -> None:
    here = await host(lab)
    first, second, third = await lab.ask(), await lab.ask(), await lab.ask()
    async with lab.database.transaction() as session:
        await jobs.request_cancel(session, third)
        await jobs.enqueue(session, third, "delete", job_id=uuids.uuid7())
    got = [await claim(lab, here) for _ in range(4)]
    assert [(job.cluster_id, job.kind) for job in got if job] == [
        (third, "delete"),
        (first, "create"),
        (second, "create"),
    ]


async def test_many_claims_at_once_give_each_job_once(lab: Lab) -> None:
    here = await host(lab)
    asked = {await lab.ask() for _ in range(4)}
    got = await asyncio.gather(*[claim(lab, here) for _ in range(8)])
    claimed = [job.cluster_id for job in got if job is not None]
    assert len(claimed) == 4
    assert set(claimed) == asked


async def test_one_running_job_a_cluster(lab: Lab) -> None:
    here = await host(lab)
    cluster_id = await lab.ask()
    creating = await claim(lab, here)
    assert creating is not None
    async with lab.database.transaction() as session:
        await jobs.request_cancel(session, cluster_id)
        await jobs.enqueue(session, cluster_id, "delete", job_id=uuids.uuid7())
    assert await claim(lab, here) is None
    async with lab.database.transaction() as session:
        assert (await jobs.renew(session, creating, lease_seconds=15)).cancel_requested
        await jobs.finish(session, creating, "cancelled")
    deleting = await claim(lab, here)
    assert deleting is not None
    assert deleting.kind == "delete"


async def test_a_lease_that_ran_out_is_claimed_anew_and_the_old_worker_is_told(lab: Lab) -> None:
    here = await host(lab)
    await lab.ask()
    old = await claim(lab, here, lease=0)
    new = await claim(lab, here)
    assert old is not None
    assert new is not None
    assert (new.id, new.fence, new.tries) == (old.id, old.fence + 1, 2)
    async with lab.database.transaction() as session:
        await jobs.hold(session, new)
    for write in (
        jobs.hold,
        lambda s, j: jobs.renew(s, j, lease_seconds=1),
        lambda s, j: jobs.finish(s, j, "x"),
        lambda s, j: jobs.postpone(s, j, seconds=1),
    ):
        with pytest.raises(LostClaim):
            async with lab.database.transaction() as session:
                await write(session, old)
    attempt_id = uuids.uuid7()
    async with lab.database.transaction() as session:
        attempt = await attempts.start(
            session,
            old.cluster_id,
            host_id=here,
            driver="simulated",
            attempt_id=attempt_id,
            log_cap_bytes=10**9,
        )
        assert attempt.number == 1
        await attempts.advance(session, new, attempt_id, known=0, offset=7, recorder_state={"a": 1})
    with pytest.raises(LostClaim):
        async with lab.database.transaction() as session:
            await attempts.advance(session, old, attempt_id, known=7, offset=9, recorder_state={})
    # Whose commit arrived without its answer reads on from there, and never twice.
    tails = [log_chunks.encode(rfc3339(BEGIN), "stderr", "again", cont=False)]
    with pytest.raises(LostClaim):
        await record_lines(
            lab.database, old, attempt_id, tails, known=7, offset=9, recorder_state={}
        )
    for known in (0, 6, 8):
        with pytest.raises(RecordedFurther):
            async with lab.database.transaction() as session:
                await attempts.advance(
                    session, new, attempt_id, known=known, offset=9, recorder_state={}
                )
        with pytest.raises(RecordedFurther):
            await record_lines(
                lab.database, new, attempt_id, tails, known=known, offset=9, recorder_state={}
            )
    assert not await lab.lines(old.cluster_id)
    async with lab.database.reading() as session:
        (kept,) = await attempts.of_cluster(session, old.cluster_id)
        assert await attempts.unfinished(session, old.cluster_id) == kept
    assert (kept.spool_offset, kept.recorder_state) == (7, {"a": 1})


async def test_closing_ones_own_job_is_no_lost_claim(lab: Lab) -> None:
    here = await host(lab)
    await lab.ask()
    job = await claim(lab, here)
    assert job is not None
    async with lab.database.transaction() as session:
        await jobs.finish(session, job, "succeeded")
    async with lab.database.transaction() as session:
        assert not (await jobs.renew(session, job, lease_seconds=15)).cancel_requested
        await jobs.let_go(session, job)
    assert await claim(lab, here) is None


async def test_what_lives_on_a_host_is_left_to_it(lab: Lab) -> None:
    here, there = await host(lab), await host(lab, "there")
    cluster_id = await lab.ask()
    attempt_id = uuids.uuid7()
    async with lab.database.transaction() as session:
        await attempts.start(
            session,
            cluster_id,
            host_id=there,
            driver="simulated",
            attempt_id=attempt_id,
            log_cap_bytes=10**9,
        )
    assert await claim(lab, here) is None
    async with lab.database.transaction() as session:
        await attempts.finish(session, attempt_id, "lost")
        await attempts.mark_removed(session, attempt_id)
    assert await claim(lab, here) is not None


async def test_only_the_kinds_that_there_is_room_for(lab: Lab) -> None:
    here = await host(lab)
    await lab.ask()
    assert await claim(lab, here, kinds=("delete",)) is None


async def test_a_postponed_job_waits(lab: Lab) -> None:
    here = await host(lab)
    await lab.ask()
    job = await claim(lab, here)
    assert job is not None
    async with lab.database.transaction() as session:
        await jobs.postpone(session, job, seconds=60)
    assert await claim(lab, here) is None
    async with lab.database.transaction() as session:
        await session.execute(text("UPDATE jobs SET run_after = now()"))
    assert await claim(lab, here) is not None


async def test_a_host_keeps_its_id_by_its_name_and_its_name_by_its_id(lab: Lab) -> None:
    first = await host(lab)
    assert await host(lab) == first  # a new data directory, the same name
    async with lab.database.transaction() as session:
        renamed = await hosts.announce(
            session, host_id=first, name="renamed", driver="kind", facts=FACTS
        )
    assert renamed == first
    async with lab.database.reading() as session:
        found = await hosts.current(session)
    assert found is not None
    assert (found.name, found.driver, found.facts) == ("renamed", "kind", FACTS)


async def test_a_silent_host_is_not_there(lab: Lab) -> None:
    here = await host(lab)
    async with lab.database.transaction() as session:
        await session.execute(text("UPDATE hosts SET heartbeat_at = now() - interval '2 minutes'"))
    async with lab.database.transaction() as session:
        assert await hosts.current(session) is None
        await hosts.heartbeat(session, here, FACTS)
    async with lab.database.reading() as session:
        assert await hosts.current(session) is not None

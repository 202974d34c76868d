"""How a create ends: each ending is one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

from pyk8s.wire.cluster import Cluster, Condition, EvidenceLine, Phase, Step
from pyk8s.wire.events import AttemptStartedEvent, LogLineEvent
from pyk8s.wire.facts import (
    AttemptStarted,
    ConditionChanged,
    EventData,
    FailureExplained,
    LeaseExtended,
    LogLine,
    Note,
    PhaseChanged,
    StepFinished,
    StepStarted,
)
from server.drivers.base import Access, Explanation, Usage
from server.drivers.explain import docs_of
from server.provisioner.evidence import NOTHING, Clue, Collected, look_into, pack, the_better
from server.provisioner.holding import Holding, JobCancelled
from server.provisioner.workshop import Workshop, plan_of
from server.store import access as access_store
from server.store import attempts, clusters, event_log, event_reads, jobs, needs
from server.store import evidence as evidence_store
from server.store.attempts import Attempt
from server.store.database import ReadSession, WriteSession
from server.store.database import now as database_now
from server.store.event_log import Draft

PREPARING: Final = "Preparing a network and a configuration of its own"
"""Said at once: the driver's own first line takes a while."""

VERIFYING: Final = "Asking the API server whether it and every node are ready"
EXPLAINED_LINES: Final = 2000
"""So many of the last lines are looked at for a reason."""


async def begin(shop: Workshop, holding: Holding) -> Attempt:
    """Write down that a new try begins, before anything of it exists.

    Raises:
        PhaseConflict: the cluster is not to be built any more.
        JobCancelled: nobody wants it any more.
        LostClaim: another worker has the job.
    """
    cluster_id = holding.job.cluster_id
    async with shop.database.transaction() as session:
        cluster = await clusters.get_any(session, cluster_id)
        attempt = await attempts.start(
            session,
            cluster_id,
            host_id=shop.host_id,
            driver=shop.driver.name,
            attempt_id=shop.new_id(),
            log_cap_bytes=shop.log_cap_bytes,
        )
        facts: list[EventData] = [AttemptStarted(attempt=attempt.number)]
        if cluster is not None and cluster.phase is Phase.PENDING:
            facts.append(PhaseChanged(from_=Phase.PENDING, to=Phase.PROVISIONING, reason="Claimed"))
        facts.append(LogLine(stream="lab", text=PREPARING))
        await _append(session, holding, facts, expect={Phase.PENDING, Phase.PROVISIONING})
        await _still_wanted(session, holding)
    return attempt


async def begin_access(shop: Workshop, holding: Holding, cluster: Cluster) -> None:
    """Say that the last step, our own, has begun."""
    total = len(plan_of(cluster))
    async with shop.database.transaction() as session:
        started = StepStarted(step=Step.ACCESS, index=total, total=total)
        said = LogLine(stream="lab", text=VERIFYING)
        await _append(session, holding, [started, said], expect={Phase.PROVISIONING})
        await jobs.hold(session, holding.job)


async def tell(shop: Workshop, holding: Holding, text: str) -> None:
    """Say something to whoever watches the cluster."""
    async with shop.database.transaction() as session:
        await _append(session, holding, [Note(text=text)], expect={Phase.PROVISIONING})
        await jobs.hold(session, holding.job)


async def succeed(
    shop: Workshop,
    holding: Holding,
    attempt: Attempt,
    access: Access,
    *,
    seconds: float,
    usage: Usage | None = None,
) -> None:
    """The cluster answers: it is ready, and its lease begins.

    `seconds`: how long `access` took. `usage`: what the build has taken, to learn from.
    """
    kubeconfig = shop.sealer.seal(access.kubeconfig.encode())
    identity = access.proxy_identity
    cluster_id = holding.job.cluster_id
    async with shop.database.transaction() as session:
        cluster = await clusters.get_any(session, cluster_id)
        assert cluster is not None
        now = await database_now(session)
        facts = [
            _access_ended("succeeded", seconds),
            ConditionChanged(
                condition=Condition(
                    type="Ready",
                    status="True",
                    reason="Provisioned",
                    message="all nodes are Ready and the API server answers",
                    last_transition_time=now,
                )
            ),
            LeaseExtended(expires_at=now + timedelta(seconds=cluster.ttl_seconds)),
            PhaseChanged(from_=Phase.PROVISIONING, to=Phase.READY, reason="Provisioned"),
        ]
        await _append(session, holding, facts, expect={Phase.PROVISIONING})
        await _still_wanted(session, holding)
        await access_store.save(
            session,
            cluster_id,
            attempt.id,
            sealed_kubeconfig=kubeconfig,
            sealed_proxy_identity=None if identity is None else shop.sealer.seal(identity),
            internal_url=access.internal_url,
        )
        await attempts.finish(session, attempt.id, "succeeded")
        if usage is not None:
            await needs.note_built(
                session,
                attempt.id,
                memory_bytes=usage.memory_bytes,
                cpu_seconds=usage.cpu_seconds,
            )
        await jobs.finish(session, holding.job, "succeeded")


async def fail(
    shop: Workshop,
    holding: Holding,
    attempt: Attempt | None,
    explanation: Explanation | None,
    *,
    access_seconds: float | None = None,
    collected: Collected = NOTHING,
) -> None:
    """The cluster failed; the log and the evidence are searched for why. The job stays.

    Raises:
        PhaseConflict: it is not being built.
        JobCancelled: nobody wants it any more; another job may build it already.
        LostClaim: another worker has the job.
    """
    async with shop.database.reading() as session:
        cluster = await clusters.get_any(session, holding.job.cluster_id)
        assert cluster is not None
        lines = await _log_of_last_attempt(session, cluster)
        now = await database_now(session)
    found = await look_into(collected, cluster, [text for _, text in lines])
    why = the_better(explanation, found)
    archive = await pack(collected, lines=[text for _, text in lines], why=why, at=now.timestamp())
    async with shop.database.transaction() as session:
        quoted = await _quote(session, holding, found.clues)
        facts: list[EventData] = []
        if access_seconds is not None:
            facts.append(_access_ended("failed", access_seconds))
        facts += [
            FailureExplained(
                code=why.code,
                title=why.title,
                cause=why.cause,
                fix=why.fix,
                docs=why.docs or docs_of(why.code),
                evidence=[
                    *(EvidenceLine(seq=lines[n][0], text=lines[n][1]) for n in found.lines),
                    *quoted,
                ],
            ),
            ConditionChanged(
                condition=Condition(
                    type="Ready",
                    status="False",
                    reason=camel_case(why.code),
                    message=why.title,
                    last_transition_time=now,
                )
            ),
            PhaseChanged(from_=cluster.phase, to=Phase.FAILED, reason=camel_case(why.code)),
        ]
        await _append(session, holding, facts, expect={Phase.PENDING, Phase.PROVISIONING})
        await _still_wanted(session, holding)
        if attempt is not None:
            await evidence_store.save(session, attempt.cluster_id, attempt.id, archive=archive)
            await attempts.finish(session, attempt.id, "failed")
        await jobs.decide(session, holding.job, "failed")
    holding.is_decided = True


async def _quote(
    session: WriteSession, holding: Holding, clues: Sequence[Clue]
) -> list[EvidenceLine]:
    """Put lines of the evidence into the log, so that they can be pointed at."""
    if not clues:
        return []
    drafts = [Draft(LogLine(stream="lab", text=clue.quoted())) for clue in clues]
    last = await event_log.append(
        session, holding.job.cluster_id, drafts, expect={Phase.PENDING, Phase.PROVISIONING}
    )
    first = last - len(clues) + 1
    return [EvidenceLine(seq=first + n, text=clue.quoted()) for n, clue in enumerate(clues)]


def camel_case(code: str) -> str:
    """Write a code as the reason of a condition: `image_missing` as `ImageMissing`."""
    return "".join(word.capitalize() for word in code.split("_"))


def _access_ended(outcome: Literal["succeeded", "failed"], seconds: float) -> StepFinished:
    return StepFinished(step=Step.ACCESS, outcome=outcome, duration_seconds=round(seconds, 3))


async def _still_wanted(session: WriteSession, holding: Holding) -> None:
    """Hold the job to the end of the transaction. A cancelled one must not write of its end.

    The phase alone does not tell: after a retry the cluster is built again, by another job.
    """
    if (await jobs.hold(session, holding.job)).cancel_requested:
        raise JobCancelled


async def _append(
    session: WriteSession, holding: Holding, facts: Sequence[EventData], *, expect: set[Phase]
) -> None:
    drafts = [Draft(fact) for fact in facts]
    await event_log.append(session, holding.job.cluster_id, drafts, expect=expect)


async def _log_of_last_attempt(session: ReadSession, cluster: Cluster) -> list[tuple[int, str]]:
    events = await event_reads.read(
        session,
        cluster.id,
        after=max(0, cluster.last_seq - EXPLAINED_LINES),
        limit=EXPLAINED_LINES,
        types=["log_line", "attempt_started"],
    )
    lines: list[tuple[int, str]] = []
    for event in events:
        if isinstance(event, AttemptStartedEvent):
            lines.clear()
        elif isinstance(event, LogLineEvent):
            lines.append((event.seq, event.data.text))
    return lines

"""Create and delete clusters: rows are written, nothing is built here."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from pyk8s.wire.cluster import Cluster, CreateCluster, Phase
from pyk8s.wire.facts import ClaimedFromPool, PhaseChanged
from pyk8s.wire.service import FieldError
from server.commands.names import friendly_name
from server.errors import (
    LabError,
    NameTaken,
    NoProvisioner,
    NotFound,
    QuotaExceeded,
    TemplateUnknown,
    ValidationFailed,
    VersionUnknown,
)
from server.lifecycle import sources_of
from server.store import clusters, event_log, hosts, idempotency, jobs, pool
from server.store.database import Database, WriteSession
from server.store.hints import tell_revoked
from server.store.hosts import HostFacts
from server.templates import DEFAULT, DRIVER_LABELS, PRESETS, Preset

NAME_TRIES = 20
_CLAIMED: Final = (
    ClaimedFromPool(),
    PhaseChanged(from_=Phase.PENDING, to=Phase.PROVISIONING, reason="ClaimedFromPool"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may have."""

    clusters: int
    max_ttl_seconds: int


async def create_cluster(
    database: Database,
    *,
    owner_id: UUID,
    request: CreateCluster,
    idempotency_key: str | None,
    limits: Limits,
    choose: Callable[[Sequence[str]], str] = random.choice,
) -> Cluster:
    """Write down that somebody wants a cluster, and the job to build it.

    Raises:
        LabError: the request cannot be, the name or the quota is used up, nobody could build it.
    """
    async with database.transaction() as session:
        if idempotency_key is not None:
            answer = await idempotency.take(
                session,
                user_id=owner_id,
                key=idempotency_key,
                request_hash=_hash_of(request),
            )
            if answer is not None:
                return Cluster.model_validate(answer)
        cluster = await _create(session, owner_id, request, limits, choose)
        if idempotency_key is not None:
            await idempotency.keep_answer(
                session,
                user_id=owner_id,
                key=idempotency_key,
                cluster_id=cluster.id,
                answer=cluster.model_dump(mode="json"),
            )
        return cluster


def _hash_of(request: CreateCluster) -> bytes:
    return hashlib.sha256(request.model_dump_json(exclude_unset=True).encode()).digest()


async def _create(
    session: WriteSession,
    owner_id: UUID,
    request: CreateCluster,
    limits: Limits,
    choose: Callable[[Sequence[str]], str],
) -> Cluster:
    preset = preset_of(request.template)
    host = await hosts.current(session)
    if host is None:
        raise NoProvisioner(
            "no provisioner has announced itself to this server yet",
            fix="start one (PYK8S_ROLES has `provisioner`), then ask again",
            retry_after=5,
        )
    version = _version(request.kubernetes_version, host.facts)
    ttl_seconds = _ttl(request.ttl_seconds, preset, limits)
    await clusters.lock_owner(session, owner_id)
    have = await clusters.count_living(session, owner_id)
    if have >= limits.clusters:
        raise QuotaExceeded(
            f"you have {have} clusters, and may have {limits.clusters} at once",
            fix="delete one that you do not need any more",
            retry_after=60,
        )
    for _ in range(NAME_TRIES if request.name is None else 1):
        new = clusters.NewCluster(
            id=uuids.uuid7(),
            name=request.name or friendly_name(choose),
            template=preset.name,
            kubernetes_version=version,
            control_planes=request.control_planes or preset.control_planes,
            workers=preset.workers if request.workers is None else request.workers,
            ttl_seconds=ttl_seconds,
            labels=request.labels,
            driver=host.driver,
        )
        cluster = await _add(session, owner_id, new)
        if cluster is not None:
            return cluster
    raise NameTaken(
        f"you have a cluster named {new.name!r}",
        fix="choose another name, leave it out, or delete that cluster first",
        errors=[FieldError(field="name", message="taken", input=new.name)],
    )


async def _add(session: WriteSession, owner_id: UUID, new: clusters.NewCluster) -> Cluster | None:
    """Take a prebuilt one if there is one, else let one be built. None: the name is taken."""
    wanted = pool.Wanted(
        template=new.template,
        kubernetes_version=new.kubernetes_version,
        control_planes=new.control_planes,
        workers=new.workers,
        driver=new.driver,
    )
    member = None if DRIVER_LABELS & new.labels.keys() else await pool.take(session, wanted)
    if member is None:
        cluster = await clusters.add(session, owner_id, new)
        if cluster is not None:
            await jobs.enqueue(session, cluster.id, "create", job_id=uuids.uuid7())
        return cluster
    if await clusters.add(session, owner_id, new, then=_CLAIMED) is None:
        return None
    await pool.hand_over(session, member, new.id)
    await jobs.enqueue(session, new.id, "wake", job_id=uuids.uuid7(), reason="ClaimedFromPool")
    return await clusters.get(session, owner_id, new.id)


def preset_of(name: str | None) -> Preset:
    """Give a template, or the default one.

    Raises:
        TemplateUnknown: there is none of this name.
    """
    preset = PRESETS.get(name or DEFAULT)
    if preset is None:
        known = ", ".join(PRESETS)
        raise TemplateUnknown(
            f"there is no template {name!r}",
            fix=f"use one of: {known}",
            errors=[FieldError(field="template", message=f"one of: {known}", input=name)],
        )
    return preset


def _version(wanted: str | None, facts: HostFacts) -> str:
    if wanted is None:
        return facts.default_kubernetes_version
    known = sorted({*facts.node_images, facts.default_kubernetes_version}, reverse=True)
    version = wanted if wanted.startswith("v") else f"v{wanted}"
    if version not in known:
        raise VersionUnknown(
            f"no host has a node image for Kubernetes {wanted}",
            fix=f"use one of: {', '.join(known)}; or let the operator pull kindest/node:{version}",
            errors=[
                FieldError(
                    field="kubernetes_version", message=f"one of: {', '.join(known)}", input=wanted
                )
            ],
        )
    return version


def _ttl(wanted: int | None, preset: Preset, limits: Limits) -> int:
    if wanted is None:
        return min(preset.ttl_seconds, limits.max_ttl_seconds)
    if wanted > limits.max_ttl_seconds:
        raise ValidationFailed(
            f"ttl_seconds: this server lets a cluster live {limits.max_ttl_seconds} s at most",
            fix=f"ask for {limits.max_ttl_seconds} s or less",
            errors=[
                FieldError(
                    field="ttl_seconds",
                    message=f"at most {limits.max_ttl_seconds}",
                    input=wanted,
                )
            ],
        )
    return wanted


async def delete_cluster(
    database: Database, *, owner_id: UUID, id_or_name: UUID | str, reason: str = "DeleteRequested"
) -> Cluster:
    """Ask for a cluster's end, whatever it is doing. The answer's phase may be `deleted` already.

    Raises:
        NotFound: the owner has no such cluster.
    """
    async with database.transaction() as session:
        cluster = await clusters.get(session, owner_id, id_or_name)
        if cluster is None:
            raise not_found(id_or_name)
        await _begin_delete(session, cluster, reason)
        after = await clusters.get(session, owner_id, cluster.id)
        if after is None:
            raise not_found(id_or_name)
        return after


async def _begin_delete(session: WriteSession, cluster: Cluster, reason: str) -> None:
    # The phase was read without a lock; append checks it again under the row's lock.
    while cluster.phase in sources_of(Phase.DELETING):
        moved = PhaseChanged(from_=cluster.phase, to=Phase.DELETING, reason=reason)
        try:
            async with session.begin_nested():
                await event_log.append(session, cluster.id, [event_log.Draft(moved)])
        except LabError:
            seen = await clusters.get_any(session, cluster.id)
            if seen is None or seen.phase is cluster.phase:
                raise
            cluster = seen
            continue
        await tell_revoked(session, cluster.id)
        await jobs.request_cancel(session, cluster.id)
        await jobs.enqueue(session, cluster.id, "delete", job_id=uuids.uuid7())
        return


async def locked(session: WriteSession, owner_id: UUID, id_or_name: UUID | str) -> Cluster:
    """Give one of the owner's clusters, which nobody else changes before the transaction ends.

    Raises:
        NotFound: the owner has no such cluster.
    """
    found = await clusters.get(session, owner_id, id_or_name)
    if found is None:
        raise not_found(id_or_name)
    return await clusters.lock(session, found.id)


def not_found(id_or_name: UUID | str) -> NotFound:
    """Say that a cluster is not there, or not yours: the same words for both."""
    del id_or_name  # not told back: the answer must not depend on it
    return NotFound(
        "you have no such cluster",
        fix="see the list of your clusters; a deleted one is found by its id only",
    )

"""Give people their ways into clusters, and take them away again."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import anyio
import uuid_utils.compat as uuids

from pyk8s.wire.access import MIN_CREDENTIAL_SECONDS, Credential, Endpoint
from pyk8s.wire.cluster import USABLE, Cluster, Phase
from pyk8s.wire.facts import CredentialIssued, CredentialRevoked
from pyk8s.wire.service import FieldError
from server.errors import NotFound, NotReady, QuotaExceeded, Unavailable, ValidationFailed
from server.kube import certificates
from server.secrets import CREDENTIAL_PREFIX, Sealer, hash_secret, new_secret
from server.store import access, accounts, apps, clusters, credentials, event_log
from server.store.access import WayIn
from server.store.accounts import Principal
from server.store.database import Database, ReadSession, WriteSession, now
from server.store.event_log import Draft
from server.telemetry import get_logger

DEFAULT_SECONDS = 24 * 3600
MAX_DIRECT_SECONDS = 24 * 3600
"""A certificate goes to the cluster without us, so it shall not be good for long."""

MAX_NAME_LENGTH = 80

MAX_OF_CLUSTER = 200
"""Living credentials of one user for one cluster: a list that a person can still look through."""

QUOTA_RETRY_SECONDS = 60

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new credential with what proves it: a secret, or a certificate with its key as PEM."""

    credential: Credential
    proof: str


async def way_into(database: Database, cluster: Cluster) -> WayIn:
    """Give the way into a cluster.

    Raises:
        NotReady: there is none yet, or none any more.
    """
    if cluster.phase not in USABLE:
        raise NotReady(
            f"the cluster is {cluster.phase}, so there is no way in",
            fix="wait until it is ready" if cluster.deleted_at is None else "create another one",
            retry_after=2 if cluster.phase in {Phase.PENDING, Phase.PROVISIONING} else None,
        )
    async with database.reading() as session:
        way = await access.way_into(session, cluster.id)
    if way is None:
        raise NotReady("the way in is not known", fix="delete the cluster, create another one")
    return way


async def issue_for_proxy(
    database: Database,
    *,
    principal: Principal,
    cluster: Cluster,
    name: str,
    seconds: int | None,
    max_seconds: int,
) -> Issued:
    """Give a credential for the proxy. It ends with the cluster, whatever its time.

    Raises:
        NotReady: there is no way in yet, or none any more.
        ValidationFailed: it would be good for too long.
    """
    await way_into(database, cluster)
    secret = new_secret(CREDENTIAL_PREFIX)
    async with database.transaction() as session:
        await clusters.lock(session, cluster.id)  # two at a time must not both take the last place
        await _require_room(session, cluster.id, principal.user.id)
        credential = await credentials.add(
            session,
            credential_id=uuids.uuid7(),
            user_id=principal.user.id,
            cluster_id=cluster.id,
            endpoint=Endpoint.PROXY,
            name=name[:MAX_NAME_LENGTH],
            secret_hash=hash_secret(secret),
            lifetime=_lifetime(seconds, max_seconds),
        )
        await _tell_issued(session, cluster.id, credential, principal)
    return Issued(credential, secret)


async def issue_direct(
    database: Database,
    sealer: Sealer,
    *,
    principal: Principal,
    cluster: Cluster,
    name: str,
    seconds: int | None,
) -> Issued:
    """Give a certificate for the cluster's own API server, until its lease ends at most.

    Raises:
        NotReady: the cluster is not ready, so it cannot sign.
        Unavailable: the cluster does not answer.
        ValidationFailed: it would be good for too long.
    """
    way = await way_into(database, cluster)
    if cluster.phase is not Phase.READY:
        raise NotReady(f"the cluster is {cluster.phase}, so it signs nothing", fix="resume it")
    lifetime = _lifetime(seconds, MAX_DIRECT_SECONDS)
    credential_id = uuids.uuid7()
    async with database.transaction() as session:
        await clusters.lock(session, cluster.id)  # two at a time must not both take the last place
        await _require_room(session, cluster.id, principal.user.id)
        if cluster.expires_at is not None:
            lifetime = min(lifetime, cluster.expires_at - await now(session))
        lifetime = max(lifetime, timedelta(seconds=MIN_CREDENTIAL_SECONDS))
        # Before the certificate is signed: one that is not listed could not be revoked.
        await credentials.add(
            session,
            credential_id=credential_id,
            user_id=principal.user.id,
            cluster_id=cluster.id,
            endpoint=Endpoint.DIRECT,
            name=name[:MAX_NAME_LENGTH],
            secret_hash=None,
            lifetime=lifetime + timedelta(seconds=certificates.ISSUE_SECONDS),
        )
    try:
        pem = await certificates.issue(
            way,
            sealer,
            credential_id=credential_id,
            username=principal.user.username,
            seconds=int(lifetime.total_seconds()),
        )
        async with database.transaction() as session:
            await clusters.lock(session, cluster.id)
            credential = await credentials.set_lifetime(session, credential_id, lifetime)
            if credential is None:
                raise NotReady("the credential was revoked while it was made", fix="ask again")
            await _tell_issued(session, cluster.id, credential, principal)
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await _take_back(
                database,
                way,
                sealer,
                user_id=principal.user.id,
                cluster_id=cluster.id,
                credential_id=credential_id,
                is_left=isinstance(error, Exception),
            )
        raise
    return Issued(credential, pem.decode())


async def _take_back(
    database: Database,
    way: WayIn,
    sealer: Sealer,
    *,
    user_id: UUID,
    cluster_id: UUID,
    credential_id: UUID,
    is_left: bool,
) -> None:
    """End a credential that nobody was given. `is_left`: there is time to ask the cluster."""
    if is_left:
        with suppress(Unavailable):  # nobody has the key of the certificate
            await certificates.revoke(way, sealer, credential_id)
    async with database.transaction() as session:
        await credentials.revoke(
            session, cluster_id=cluster_id, user_id=user_id, credential_id=credential_id
        )


async def revoke(
    database: Database, sealer: Sealer, *, user_id: UUID, cluster_id: UUID, credential_id: UUID
) -> None:
    """End a credential. What is open under it at the proxy ends within a second.

    Raises:
        NotFound: the user has no such credential for this cluster, or it has ended already.
        Unavailable: it is a certificate, and the cluster does not answer.
    """
    async with database.reading() as session:
        endpoint = await credentials.endpoint_of(
            session, cluster_id=cluster_id, user_id=user_id, credential_id=credential_id
        )
        way = await access.way_into(session, cluster_id)
    if endpoint is None:
        raise NotFound("you have no such credential", fix="see the list of the cluster's")
    if endpoint is Endpoint.DIRECT and way is not None:
        await certificates.revoke(way, sealer, credential_id)
    async with database.transaction() as session:
        # The cluster's row first, as whoever deletes it does.
        cluster = await clusters.lock(session, cluster_id)
        ended = await credentials.revoke(
            session, cluster_id=cluster_id, user_id=user_id, credential_id=credential_id
        )
        if ended is not None and cluster.phase is not Phase.DELETED:
            fact = CredentialRevoked(credential_id=credential_id)
            await event_log.append(session, cluster_id, [Draft(fact)])


async def logout_everywhere(database: Database, sealer: Sealer, *, user_id: UUID) -> None:
    """End all sessions, tokens and credentials of a user.

    A certificate of a cluster that does not answer now ends by its time; the log says so.
    """
    async with database.transaction() as session:
        living = await credentials.lock_clusters_of(session, user_id)
        await accounts.revoke_all_of(session, user_id)
        ended = await credentials.revoke_all_of(session, user_id)
        await apps.end_links_of(session, user_id)
        for cluster_id in living:
            revoked = [
                Draft(CredentialRevoked(credential_id=credential_id))
                for of_cluster, credential_id, _ in ended
                if of_cluster == cluster_id
            ]
            if revoked:
                await event_log.append(session, cluster_id, revoked)
    certificates_of: dict[UUID, list[UUID]] = {}
    for cluster_id, credential_id, endpoint in ended:
        if endpoint is Endpoint.DIRECT:
            certificates_of.setdefault(cluster_id, []).append(credential_id)
    for cluster_id, ids in certificates_of.items():
        async with database.reading() as session:
            way = await access.way_into(session, cluster_id)
        if way is None:
            continue
        try:
            for credential_id in ids:
                await certificates.revoke(way, sealer, credential_id)
        except Unavailable as error:  # each of the others would wait as long
            log.warning("certificates_not_revoked", cluster=str(cluster_id), reason=error.detail)


def _lifetime(seconds: int | None, most: int) -> timedelta:
    if seconds is not None and seconds > most:
        raise ValidationFailed(
            f"expires_in_seconds: at most {most}",
            fix=f"ask for {most} s or less, and for a new one later",
            errors=[
                FieldError(field="expires_in_seconds", message=f"at most {most}", input=seconds)
            ],
        )
    return timedelta(seconds=min(seconds or DEFAULT_SECONDS, most))


async def _require_room(session: ReadSession, cluster_id: UUID, user_id: UUID) -> None:
    """Check that the user may have another credential.

    Raises:
        QuotaExceeded: there are as many as one may have.
    """
    if await credentials.count_living(session, cluster_id, user_id) >= MAX_OF_CLUSTER:
        raise QuotaExceeded(
            f"you have {MAX_OF_CLUSTER} credentials for this cluster",
            fix="revoke those that nobody uses (pyk8s kubeconfig list and revoke), or use one file "
            "again: each download is a credential of its own",
            retry_after=QUOTA_RETRY_SECONDS,
        )


async def _tell_issued(
    session: WriteSession, cluster_id: UUID, credential: Credential, principal: Principal
) -> None:
    fact = CredentialIssued(
        endpoint=credential.endpoint.value, by=principal.user.username, credential_id=credential.id
    )
    await event_log.append_use(session, cluster_id, fact)

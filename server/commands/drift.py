"""Repairs of drift: what would be done is told first; a provisioner does it, not the API."""

from pyk8s.wire.admin import Difference, Repair, RepairDrift
from pyk8s.wire.service import FieldError
from server.errors import ValidationFailed
from server.store import drift
from server.store.database import Database


async def repair_drift(database: Database, request: RepairDrift) -> Repair:
    """Ask the hosts to repair what differs, or tell what they would do.

    Raises:
        ValidationFailed: a difference that was named is not there (any more).
    """
    chosen: list[Difference] = []
    async with database.transaction() as session:
        hosts = await drift.hosts(session)
        known = {each.id for host in hosts.values() for each in host.differences}
        unknown = set(request.differences or ()) - known
        if unknown:
            raise ValidationFailed(
                f"there is no difference {min(unknown)[:80]!r} now",
                fix="look again: GET /api/v1/admin/drift",
                errors=[FieldError(field="differences", message="not known")],
            )
        for host_id, host in hosts.items():
            ours = [
                each
                for each in host.differences
                if each.is_repairable
                and (request.differences is None or each.id in request.differences)
            ]
            if ours and not request.dry_run:
                await drift.ask_repair(session, host_id, {each.id for each in ours})
            chosen += ours
    return Repair(dry_run=request.dry_run, differences=chosen)

"""The setup code at start: printed and kept while nobody has registered."""

import anyio.to_thread

from server.commands.setup_code import SetupCode
from server.config import Settings
from server.secrets import Sealer
from server.store import accounts, clusters
from server.store.database import Database
from server.telemetry import get_logger

log = get_logger(__name__)


async def prepared_setup(settings: Settings, database: Database, sealer: Sealer) -> SetupCode:
    """Return the setup code; log it and keep its file if the first account is still to be made."""
    async with database.reading() as session:
        is_new = not await accounts.has_users(session)
        installation = await clusters.epoch(session)
    code = SetupCode(sealer, installation, settings.data_dir)
    if not settings.plays("api"):
        return code
    if not is_new:
        await anyio.to_thread.run_sync(code.forget)
        return code
    await anyio.to_thread.run_sync(code.keep)
    reason = settings.reached_by_others
    if reason is None and settings.setup_code == "always":
        reason = "PYK8S_SETUP_CODE is always"
    log.info(
        "no_account_yet",
        setup_code=code.text,
        needed_because=reason or "only for requests that come through a reverse proxy",
    )
    return code

"""A provisioner in a process of its own, to be killed. Run by `test_takeover`."""

import asyncio
import os
from pathlib import Path
from uuid import UUID

from server.store.database import Database
from tests.integration.provisioner.conftest import Lab


async def main() -> None:
    lab = Lab(
        Database(os.environ["URL"], pool_size=5),
        Path(os.environ["DATA_DIR"]),
        UUID(int=0),
        speed=float(os.environ["SPEED"]),
    )
    await lab.provisioner().run()


if __name__ == "__main__":
    asyncio.run(main())

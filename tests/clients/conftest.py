"""A cluster of real kind behind the proxy, for the programs that others wrote.

lab     both kubeconfigs of a ready cluster; one cluster for each module of tests
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from tests.clients.lab import Lab, running_lab
from tests.conftest import administrator, with_database
from tests.drivers.conftest import why_no_kind


@pytest.fixture(scope="module")
def lab(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("clients")
    name = f"test_{uuid4().hex}"

    async def make() -> None:
        async with administrator(postgres) as connection:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    anyio.run(make)
    with running_lab(with_database(postgres, name), folder) as lab:
        yield lab

"""The benchmarks still run. What they measure here means nothing: the sizes are tiny."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from server.config import REPOSITORY

QUICK_ROWS = ("ingest", "replay")


async def run(output: Path, *arguments: str, suite: str = "stream") -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", suite, "--output", str(output), *arguments,
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    result: dict[str, Any] = json.loads((output / f"{suite}.json").read_text())
    return result


def check(result: dict[str, Any], rows: set[str]) -> None:
    assert {figure["row"] for figure in result["figures"]} == rows
    assert {"cores", "kernel", "python", "postgresql"} <= set(result["machine"])
    for figure in result["figures"]:
        assert figure["ours"] >= 0
        assert figure["unit"]
        assert figure["run"]["scale"] == "tiny"
        assert {"git", "at", "load_before", "repeat"} <= set(figure["run"])
        if "baseline" in figure:
            assert figure["baseline_is"]
            assert figure["ratio_from"] <= figure["ratio"] <= figure["ratio_to"]
        assert ("met" in figure) == ("targets" in figure)


async def test_rows_give_figures_and_a_plot(tmp_path: Path) -> None:
    result = await run(tmp_path, "--tiny", *(f"--only={row}" for row in QUICK_ROWS))
    check(result, set(QUICK_ROWS))
    picture = (tmp_path / "bench-ratios.svg").read_text()
    assert picture.startswith("<svg ")
    assert "replay, SSE" in picture


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_all_rows_run(tmp_path: Path) -> None:
    result = await run(tmp_path, "--tiny")
    check(result, {"ingest", "latency", "fanout", "replay", "page", "idle", "idle-cpu"})
    assert "beside 5,000" in (tmp_path / "bench-latency.svg").read_text()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_full_database_is_measured(tmp_path: Path) -> None:
    check(await run(tmp_path, "--tiny", suite="volume"), {"volume"})

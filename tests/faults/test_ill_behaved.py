"""Kinds that do what no program should: each create is bounded, explained, and leaves nothing."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import pytest

from tests.faults.plays import STEPS, Action, cut_short, recorded
from tests.faults.stage import Stage, staged

REPEATS: Final = [pytest.param(n, marks=[pytest.mark.long] if n >= 1 else []) for n in range(20)]
FACTOR: Final = 0.02
"""The longest that any of these may take is then 18 s: a node image, 900 s in life."""
LONGEST_SECONDS: Final = 45.0
HUNG: Final[list[Action]] = [["hang"]]
SAY_NOTHING: Final = "ERROR: failed to create cluster: a made-up reason"
FAILED: Final[list[Action]] = [["lines", [SAY_NOTHING]], ["exit", 1]]

READY: Final = {"ready"}
KINDS: Final[dict[str, tuple[list[Action], set[str]]]] = {
    # name: what it does, and the code that explains it ("ready": it makes a cluster all the same)
    "hangs-in-a-step": (cut_short(STEPS["storage"], HUNG), {"step_timeout"}),
    "silent": (HUNG, {"step_timeout"}),
    "ignores-term": ([["ignore-term"], *cut_short(STEPS["nodes"], HUNG)], {"step_timeout"}),
    "grandchild-holds-the-pipe": ([["grandchild", True], *recorded()], READY),
    "grandchild-and-failure": ([["grandchild", False], *FAILED], set()),
    "grandchild-survives-term": (
        [["grandchild", True], *cut_short(STEPS["nodes"], HUNG)],
        {"step_timeout"},
    ),
    "exits-well-without-a-cluster": ([["exit", 0]], {"kubeconfig_unreadable"}),
    "cluster-that-does-not-answer": ([["kubeconfig"], ["exit", 0]], {"not_answering"}),
    "garbage": ([["garbage", 300_000], ["exit", 1]], set()),
    "endless-line": ([["endless-line", 100], ["exit", 1]], set()),
    "invalid-utf8": ([["bytes", "ff fe c3 28 0a e2 82 0a f0 9f 0a"], *recorded()], READY),
    "spinner": ([["spinner", 200_000], *recorded()], READY),
    "ended-by-a-signal": (cut_short(STEPS["network"], [["signal", 11]]), set()),
    "closes-its-pipes": (
        cut_short(STEPS["network"], [["close-pipes"], ["hang"]]),
        {"step_timeout"},
    ),
    "talks-and-begins-nothing": ([["chatter"]], {"step_timeout"}),
    "never-stops-talking": (cut_short(STEPS["network"], [["chatter"]]), {"step_timeout"}),
}


@pytest.mark.timeout(150)
@pytest.mark.parametrize("repeat", REPEATS)
async def test_every_one_is_bounded_and_explained(database_url: str, repeat: int) -> None:
    kinds = {purpose: kind for purpose, kind in KINDS.items() if kind[1] != READY}
    async with staged(database_url, PYK8S_DEADLINE_FACTOR=str(FACTOR)) as stage:
        await ask_for_all(stage, kinds)
        clusters = await stage.settled(LONGEST_SECONDS)
        for purpose, (_, codes) in kinds.items():
            cluster = clusters[purpose]
            assert cluster["phase"] == "failed", purpose
            failure = cluster["failure"]
            assert failure["cause"], purpose
            assert failure["fix"], purpose
            assert not codes or failure["code"] in codes, (purpose, failure)
        await stage.check_nothing_left()
        assert all(count == 1 for count in stage.starts().values())
        # The server still works: it takes another one on.
        await stage.ask("after-all-that", create=FAILED)
        await stage.settled()
        assert stage.tries("after-all-that") == 1


@pytest.mark.timeout(150)
@pytest.mark.parametrize("repeat", REPEATS)
async def test_bad_manners_alone_are_no_failure(database_url: str, repeat: int) -> None:
    """With the deadlines of life: a busy machine is not what is tested here."""
    kinds = {purpose: kind for purpose, kind in KINDS.items() if kind[1] == READY}
    async with staged(database_url) as stage:
        await ask_for_all(stage, kinds)
        for purpose, cluster in (await stage.settled()).items():
            assert cluster["phase"] == "ready", (purpose, cluster["failure"])
        await stage.check_nothing_left()
        assert all(count == 1 for count in stage.starts().values())


async def ask_for_all(stage: Stage, kinds: Mapping[str, tuple[list[Action], set[str]]]) -> None:
    """Start the server, and have it begin all of them at once."""
    await stage.server.start()
    await stage.sign_up()
    async with stage.no_claims():
        for purpose, (play, _) in kinds.items():
            await stage.ask(purpose, create=play)


@pytest.mark.timeout(120)
async def test_a_flood_of_bytes_leaves_the_api_quick(database_url: str) -> None:
    """100 MB without a line feed come in while the API is asked again and again."""
    async with staged(database_url) as stage:
        await stage.server.start()
        await stage.sign_up()
        cluster_id = await stage.ask(
            "endless", create=[["endless-line", 100], *recorded(), ["pause", "over"]]
        )
        took: list[float] = []
        async with asyncio.timeout(60):
            while not stage.is_at(cluster_id, "over"):
                began = time.monotonic()
                await stage.get(cluster_id)
                took.append(time.monotonic() - began)
        stage.let_go()
        assert (await stage.settled())["endless"]["phase"] == "ready"
        kinds = await stage.database.fetch(
            "SELECT type, count(*) AS n FROM event_log WHERE cluster_id = $1 GROUP BY type",
            cluster_id,
        )
        counts = {row["type"]: row["n"] for row in kinds}
        assert counts["log_truncated"] == 1
        assert sorted(took)[len(took) // 2] < 1.0

"""The server is killed with -9 at every point of a delete, and started again."""

import contextlib
from typing import Final

import pytest

from tests.faults.plays import STEPS, Action, cut_short, recorded
from tests.faults.site import eventually
from tests.faults.stage import Stage, staged

REPEATS: Final = [pytest.param(n, marks=[pytest.mark.long] if n >= 2 else []) for n in range(50)]
"""Every second one lets what kind was doing go on; the others do not."""
WAVES: Final[list[dict[str, str | None]]] = [
    {
        "kind-deleting": None,
        "kind-deletes-for-ever": None,
        "network-deleting": "network-delete",
        "network-deleted": "network-deleted",
    },
    {
        "container-deleting": "container-delete",
        "container-deleted": "container-deleted",
        "ending-a-deaf-kind": None,
        "last-commit": "network-deleted",
    },
]
"""As many at a time as a server deletes: what stops the purpose, if not kind itself."""
KIND_DELETES_NOTHING: Final[list[Action]] = [["exit", 1]]
PLAYS: Final[dict[str, list[Action]]] = {
    "kind-deleting": [["pause", "kind-deleting"]],
    "kind-deletes-for-ever": [["ignore-term"], ["pause", "kind-deletes-for-ever"], ["hang"]],
    "container-deleting": KIND_DELETES_NOTHING,
    "container-deleted": KIND_DELETES_NOTHING,
}
DEAF: Final[list[Action]] = cut_short(
    STEPS["control_plane"], [["ignore-term"], ["grandchild", True], ["pause", "deaf"], ["hang"]]
)


async def begin(stage: Stage, wave: dict[str, str | None]) -> None:
    """Have a cluster for each point, ready or being made."""
    for purpose in wave:
        play = DEAF if purpose == "ending-a-deaf-kind" else recorded()
        await stage.ask(purpose, create=play, delete=PLAYS.get(purpose, []))
    await stage.ask("intent", create=recorded())

    async def are_made() -> bool:
        phases = {purpose: (await stage.get(each))["phase"] for purpose, each in made.items()}
        return set(phases.values()) == {"ready"}

    made = {k: v for k, v in stage.clusters.items() if k != "ending-a-deaf-kind"}
    await eventually(are_made)
    if "ending-a-deaf-kind" in wave:
        deaf = stage.clusters["ending-a-deaf-kind"]

        async def is_deaf() -> bool:
            return stage.is_at(deaf, "deaf")

        await eventually(is_deaf)


async def delete_up_to_their_points(
    stage: Stage, wave: dict[str, str | None], stack: contextlib.AsyncExitStack
) -> None:
    """Ask for every cluster's end, and wait until each delete is at its point."""
    for purpose, point in wave.items():
        if point is not None:
            stage.points.wanted.add((stage.clusters[purpose], point))
        await stage.delete(stage.clusters[purpose])

    async def are_there() -> bool:
        # The deaf kind is being ended: it takes 5 s from TERM to KILL.
        return all(
            stage.is_at(stage.clusters[purpose], point or purpose)
            for purpose, point in wave.items()
            if purpose != "ending-a-deaf-kind"
        )

    await eventually(are_there)
    if "last-commit" in wave:
        cluster_id = stage.clusters["last-commit"]
        await stack.enter_async_context(stage.frozen_rows(cluster_id))
        stage.let_go(cluster_id)

        async def is_blocked() -> bool:
            return await stage.blocked_writers() >= 1

        await eventually(is_blocked, 9)
    await stack.enter_async_context(stage.no_claims())
    await stage.delete(stage.clusters["intent"])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("wave", range(len(WAVES)))
@pytest.mark.parametrize("repeat", REPEATS)
async def test_killed_at_every_point(database_url: str, wave: int, repeat: int) -> None:
    async with staged(database_url) as stage:
        await stage.server.start()
        await stage.sign_up()
        await begin(stage, WAVES[wave])
        async with contextlib.AsyncExitStack() as stack:
            await delete_up_to_their_points(stage, WAVES[wave], stack)
            await stage.server.kill()
        await stage.server.start()
        if repeat % 2:
            stage.let_go()
        else:
            stage.points.go()  # kind's own pauses go on: their kind has to be ended
        clusters = await stage.settled()
        assert {cluster["phase"] for cluster in clusters.values()} == {"deleted"}
        await stage.check_lines()
        await stage.check_nothing_left()

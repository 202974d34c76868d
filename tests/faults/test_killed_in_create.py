"""The server is killed with -9 at every point of a create, and started again.

All points are reached at once, each by a cluster of its own: a kind that pauses, an answer of
Docker or of the API server that does not come, or a row that somebody else has locked. Nothing in
the server knows of it.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.faults.plays import KUBECONFIG_WRITTEN, STEPS, Action, cut_short, failing, recorded
from tests.faults.site import eventually
from tests.faults.stage import Stage, staged

REPEATS: Final = [pytest.param(n, marks=[pytest.mark.long] if n >= 1 else []) for n in range(17)]
"""Each is three kills at each point: 3 in a usual run, 51 in a long one."""
FLOOD: Final = 2000
FAILS: Final = "create-FAILED-openapi503-nontty.txt"
FAILING: Final = {"about-to-fail", "removing-what-failed"}

PAUSES: Final[dict[str, list[Action]]] = {
    "kind-started": [["pause", "kind-started"], *recorded()],
    **{
        f"step-{step}": recorded(after={start: [["pause", f"step-{step}"]]})
        for step, start in STEPS.items()
    },
    "in-a-flood": recorded(
        after={STEPS["control_plane"]: [["flood", FLOOD, 1000], ["pause", "in-a-flood"]]}
    ),
    "kubeconfig-written": recorded(after={KUBECONFIG_WRITTEN: [["pause", "kubeconfig-written"]]}),
    "exit-written": recorded(after={STEPS["node_ready"]: [["pause", "exit-written"]]}),
    "about-to-fail": [
        *cut_short(STEPS["network"], [["pause", "about-to-fail"]]),
        ["lines", ["ERROR: failed to create cluster: a made-up reason"]],
        ["exit", 1],
    ],
}
"""Where kind itself waits."""
STAND_INS: Final = {
    "network-not-made": "network-before",
    "network-made": "network-after",
    "access-readyz": "readyz",
    "access-nodes": "nodes",
    "access-token": "token",
    "ready-commit": "token",
    "removing-what-failed": "network-delete",
}
"""Where Docker or the API server does not answer."""


async def bring_to_their_points(stage: Stage) -> None:
    """Ask for a cluster for each point where something waits for kind, Docker or Kubernetes."""
    async with stage.no_claims():
        for purpose, actions in PAUSES.items():
            await stage.ask(purpose, create=actions)
        for purpose, point in STAND_INS.items():
            play = failing(FAILS) if purpose in FAILING else recorded()
            await stage.ask(purpose, create=play, stop_at=point)

    async def are_there() -> bool:
        return all(
            stage.is_at(each, STAND_INS.get(purpose, purpose))
            for purpose, each in stage.clusters.items()
        )

    try:
        await eventually(are_there)
    except TimeoutError:
        late = [
            purpose
            for purpose, each in stage.clusters.items()
            if not stage.is_at(each, STAND_INS.get(purpose, purpose))
        ]
        raise AssertionError(f"not at their points: {late}\n{stage.log_tail()}") from None


@contextlib.asynccontextmanager
async def more_points_at_commits(stage: Stage) -> AsyncIterator[None]:
    """Stop three more in front of a commit, and one before anybody has claimed it."""
    ended, ready = stage.clusters["exit-written"], stage.clusters["ready-commit"]
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(stage.frozen_rows(ended, ready))
        stage.let_go(ended, ready)
        async with stage.no_claims():
            claimed = await stage.ask("claimed", create=recorded())
            await stack.enter_async_context(stage.frozen_rows(claimed))

        async def are_there() -> bool:
            return stage.has_ended(ended) and await stage.blocked_writers() >= 3

        await eventually(are_there, 9)
        await stack.enter_async_context(stage.no_claims())
        await stage.ask("intent", create=recorded())
        yield


@pytest.mark.timeout(180)
@pytest.mark.parametrize("meanwhile", ["kinds-go-on-after", "kinds-go-on-before", "kinds-die-too"])
@pytest.mark.parametrize("repeat", REPEATS)
async def test_killed_at_every_point(database_url: str, meanwhile: str, repeat: int) -> None:
    async with staged(database_url) as stage:
        await stage.server.start()
        await stage.sign_up()
        await bring_to_their_points(stage)
        async with more_points_at_commits(stage):
            await stage.server.kill()
        if meanwhile == "kinds-die-too":
            stage.end_runners()
        elif meanwhile == "kinds-go-on-before":
            stage.let_go()
        await stage.server.start()
        stage.let_go()
        clusters = await stage.settled()
        assert len(clusters) >= 14
        for purpose, cluster in clusters.items():
            if purpose in FAILING:
                assert cluster["phase"] == "failed", purpose
                assert cluster["failure"]["cause"]
            else:
                assert cluster["phase"] == "ready", (purpose, cluster["failure"])
        assert await stage.check_lines() > FLOOD
        await stage.check_nothing_left()
        if meanwhile != "kinds-die-too":  # then what had a kind is taken up, not made anew
            tries = {purpose: stage.tries(purpose) for purpose in stage.clusters}
            assert [purpose for purpose in PAUSES if tries[purpose] != 1] == []
        assert set(stage.starts().values()) == {1}  # no name was used twice
        for cluster_id in stage.clusters.values():
            await stage.delete(cluster_id)
        assert {each["phase"] for each in (await stage.settled()).values()} == {"deleted"}
        await stage.check_nothing_left()

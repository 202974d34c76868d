"""Docker goes away, or hangs, while clusters are up: people are answered, and told the truth.

The usual runs are as short as shows it, and look at the distribution of the same run before. The
long ones last as long as is promised, with the promised limit; `test_real_docker_away` does that
to a real Docker.
"""

import time
from typing import Final, Literal

import pytest

from tests.faults.callers import calling
from tests.faults.outage import (
    PROMISED_SECONDS,
    all_are,
    check_answers,
    enough_calls,
    look_now,
    said_of_ready,
    said_of_waiting,
)
from tests.faults.plays import STEPS, recorded
from tests.faults.site import eventually
from tests.faults.stage import staged

UP: Final = ("first", "second", "third")
WAITED: Final = {"gone": "Docker does not answer", "hangs": "The machine has not told"}
"""How the reason begins that a create waits for."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("how", "lasts"),
    [
        ("gone", 0.0),
        ("hangs", 0.0),
        pytest.param("gone", 30.0, marks=pytest.mark.long),
        pytest.param("hangs", 60.0, marks=pytest.mark.long),
    ],
)
async def test_people_are_answered_and_told_the_truth(
    database_url: str, how: Literal["gone", "hangs"], lasts: float
) -> None:
    async with staged(database_url) as stage:
        await stage.server.start()
        await stage.sign_up()
        for purpose in (*UP, "deleted-meanwhile"):
            await stage.ask(purpose, create=recorded())
        await stage.settled()
        at_work = await stage.ask(
            "at-work", create=recorded(after={STEPS["control_plane"]: [["pause", "at-work"]]})
        )

        async def is_at_work() -> bool:
            return stage.is_at(at_work, "at-work")

        async def are_unknown() -> bool:
            return await all_are(stage, UP, "Unknown")

        async def are_ready() -> bool:
            return await all_are(stage, UP, "True")

        await eventually(is_at_work)
        async with calling(stage, stage.clusters["first"]) as callers:
            await enough_calls(callers, since=time.monotonic())
            away = time.monotonic()
            async with stage.docker_away(how):
                await stage.ask("asked-meanwhile", create=recorded())
                if not lasts:
                    await look_now(stage)
                await eventually(are_unknown)
                await stage.delete(stage.clusters["deleted-meanwhile"])
                stage.let_go(at_work)
                await enough_calls(callers, since=away, lasts=lasts)
                back = time.monotonic()
                assert await are_unknown()
            if not lasts:
                await look_now(stage)
            await eventually(are_ready)
        check_answers(callers, away, back, limit=PROMISED_SECONDS if lasts else None)
        for purpose in UP:
            assert await said_of_ready(stage, purpose) == [
                ("True", "Provisioned"),
                ("Unknown", "DockerUnreachable"),
                ("True", "NodesRunning"),
            ]
        clusters = await stage.settled()
        assert clusters["at-work"]["phase"] == "ready", clusters["at-work"]["failure"]
        assert clusters["deleted-meanwhile"]["phase"] == "deleted"
        # Nobody is told to try again later: it waited, and knew what for.
        assert clusters["asked-meanwhile"]["phase"] == "ready"
        assert await said_of_waiting(stage, "asked-meanwhile") == [WAITED[how]]
        await stage.check_lines()
        await stage.check_nothing_left()

"""The line in front of the pool of connections."""

import asyncio

import pytest

from server.store.gate import Gate, Lane, LineFull, LineStopped


def gate(places: int = 1, **options: float) -> Gate:
    return Gate(
        places,
        most_waiting=int(options.get("most_waiting", 10)),
        patience_seconds=options.get("patience", 60.0),
        stopped_seconds=options.get("stopped", 60.0),
    )


async def in_line(gate: Gate, count: int) -> None:
    async with asyncio.timeout(5):
        while gate.waiting < count:
            await asyncio.sleep(0)


async def test_people_come_through_in_their_order() -> None:
    line, order = gate(), list[int]()
    await line.enter(Lane.PEOPLE)

    async def come(number: int) -> None:
        await line.enter(Lane.PEOPLE)
        order.append(number)
        line.leave(well=True)

    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(come(number))
            await in_line(line, number + 1)
        line.leave(well=True)
    assert order == [0, 1, 2, 3, 4]


async def test_the_server_itself_goes_first() -> None:
    line, order = gate(), list[Lane]()
    await line.enter(Lane.PEOPLE)

    async def come(lane: Lane) -> None:
        await line.enter(lane)
        order.append(lane)
        line.leave(well=True)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(come(Lane.PEOPLE))
        await in_line(line, 1)
        tasks.create_task(come(Lane.SERVER))
        await asyncio.sleep(0)
        line.leave(well=True)
    assert order == [Lane.SERVER, Lane.PEOPLE]


async def test_loops_of_the_server_that_always_wait_leave_people_every_fourth_place() -> None:
    line, order = gate(), list[Lane]()
    await line.enter(Lane.PEOPLE)

    async def come(lane: Lane, times: int) -> None:
        for _ in range(times):
            await line.enter(lane)
            order.append(lane)
            await asyncio.sleep(0)
            line.leave(well=True)

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for _ in range(3):  # one of them is in line whenever another one leaves
            tasks.create_task(come(Lane.SERVER, 40))
        tasks.create_task(come(Lane.PEOPLE, 5))
        await in_line(line, 1)
        line.leave(well=True)
    people = [place for place, lane in enumerate(order) if lane is Lane.PEOPLE]
    assert len(people) == 5
    assert people[-1] < 25  # of 125 places


async def test_a_line_that_is_full_takes_nobody_else() -> None:
    line = gate(most_waiting=2)
    await line.enter(Lane.PEOPLE)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(line.enter(Lane.PEOPLE)) for _ in range(2)]
        await in_line(line, 2)
        with pytest.raises(LineFull):
            await line.enter(Lane.PEOPLE)
        for each in waiting:
            each.cancel()
    assert line.waiting == 0


async def test_a_line_that_does_not_move_is_given_up() -> None:
    line = gate(stopped=0.0)
    await line.enter(Lane.PEOPLE)
    with pytest.raises(LineStopped):
        await line.enter(Lane.PEOPLE)
    assert line.waiting == 0


async def test_nobody_waits_for_ever_in_one_that_moves() -> None:
    line = gate(patience=0.0)
    await line.enter(Lane.PEOPLE)
    with pytest.raises(LineFull):
        await line.enter(Lane.PEOPLE)


async def test_who_is_cancelled_when_called_passes_the_place_on() -> None:
    line = gate()
    await line.enter(Lane.PEOPLE)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(line.enter(Lane.PEOPLE))
        await in_line(line, 1)
        line.leave(well=True)
        first.cancel()
    async with asyncio.timeout(5):
        await line.enter(Lane.PEOPLE)


async def test_a_full_line_refuses_the_longest_share() -> None:
    line, served = gate(most_waiting=3), list[str]()
    await line.enter(Lane.PEOPLE)
    refused = list[str]()

    async def come(share: str) -> None:
        try:
            await line.enter(Lane.PEOPLE, share)
        except LineFull:
            refused.append(share)
        else:
            served.append(share)
            line.leave(well=True)

    async with asyncio.TaskGroup() as tasks:
        for share in ["many", "many", "many", "many", "one"]:
            tasks.create_task(come(share))
            await asyncio.sleep(0)
        line.leave(well=True)
    assert refused == ["many", "many"]
    assert served == ["many", "one", "many"]


async def test_strangers_have_a_lane_of_their_own_and_every_fourth_place() -> None:
    line, served = gate(most_waiting=64), list[Lane]()
    await line.enter(Lane.PEOPLE)

    async def come(lane: Lane) -> None:
        await line.enter(lane, "same")
        served.append(lane)
        line.leave(well=True)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(64):
            tasks.create_task(come(Lane.STRANGERS))
        await asyncio.sleep(0)
        with pytest.raises(LineFull):
            await line.enter(Lane.STRANGERS, "same")
        for _ in range(8):
            tasks.create_task(come(Lane.PEOPLE))
        await in_line(line, 8)
        line.leave(well=True)
    assert served[:8] == [*[Lane.PEOPLE] * 3, Lane.STRANGERS] * 2
    assert served.count(Lane.STRANGERS) == 64

"""The line before password hashing: bounded, and fair between shares."""

import asyncio
from operator import itemgetter

import pytest

from server.commands.line import Line, Share
from server.commands.passwords import Passwords, share_of_address
from server.errors import SignInBusy


class Crowd:
    """Takes turns in a line whose one place is held until `let_go`."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.served: list[object] = []
        self.refused: list[object] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._held = asyncio.Event()

    async def _take(self, share: Share, is_holder: bool) -> None:
        try:
            async with self.line.turn(share):
                if is_holder:
                    await self._held.wait()
                self.served.append(share.path[-1])
        except SignInBusy:
            self.refused.append(share.path[-1])

    async def join(self, *shares: Share, is_holder: bool = False) -> list[asyncio.Task[None]]:
        made = []
        for share in shares:
            made.append(asyncio.create_task(self._take(share, is_holder)))
            await asyncio.sleep(0)
        self._tasks += made
        return made

    async def let_go(self) -> None:
        self._held.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def crowd() -> Crowd:
    crowd = Crowd(Line(at_once=1, most_waiting=4, most_trusted=2, choose=itemgetter(0)))
    await crowd.join(Share(("holder",)), is_holder=True)
    return crowd


async def test_shares_take_turns(crowd: Crowd) -> None:
    await crowd.join(Share(("a",)), Share(("a",)), Share(("a",)), Share(("b",)))
    await crowd.let_go()
    assert crowd.served == ["holder", "a", "b", "a", "a"]


async def test_a_full_line_refuses_its_longest_share(crowd: Crowd) -> None:
    await crowd.join(*[Share(("a",))] * 10)
    assert crowd.refused == ["a"] * 6
    await crowd.join(Share(("b",)), Share(("c",)))
    await asyncio.sleep(0)
    assert crowd.refused == ["a"] * 8
    await crowd.join(Share(("a",)))
    assert crowd.refused == ["a"] * 9
    await crowd.let_go()
    assert crowd.served == ["holder", "a", "b", "c", "a"]


async def test_a_newcomer_is_let_in_where_every_share_has_one(crowd: Crowd) -> None:
    """Otherwise whoever has as many addresses as the line is long keeps all others out."""
    await crowd.join(*[Share((name,)) for name in "abcd"])
    await crowd.join(Share(("honest",)))
    await asyncio.sleep(0)
    assert crowd.refused == ["a"], "the one that was chosen"
    await crowd.join(Share(("b",)))
    assert crowd.refused == ["a", "b"], "a share that has one waiting displaces nobody"
    await crowd.let_go()
    assert crowd.served == ["holder", "b", "c", "d", "honest"]


async def test_many_addresses_of_one_network_are_one_share(crowd: Crowd) -> None:
    flood = [share_of_address("login", f"2001:db8:0:{number:x}::1") for number in range(256)]
    for share in flood:
        await crowd.join(share)
    honest = [share_of_address("login", address) for address in ("2001:db8:1::1", "192.0.2.1")]
    await crowd.join(*honest)
    await crowd.join(*flood)
    await asyncio.sleep(0)
    assert not {share.path[-1] for share in honest}.intersection(crowd.refused)
    assert crowd.line.waiting == 4
    await crowd.let_go()
    assert [share.path[-1] for share in honest] == crowd.served[2:4], "one of the flood came first"


async def test_trusted_ones_have_every_second_turn_and_are_bounded_too(crowd: Crowd) -> None:
    await crowd.join(*[Share((name,)) for name in "abcd"])
    await crowd.join(*[Share(("known",), is_trusted=True)] * 3)
    await crowd.join(Share(("other",), is_trusted=True))
    assert crowd.refused == ["known"]
    await crowd.let_go()
    assert crowd.served == ["holder", "known", "a", "other", "b", "known", "c", "d"]


async def test_a_trusted_share_in_a_loop_keeps_nobody_out() -> None:
    """Even one that comes again in the moment in which its turn ends."""
    line = Line(at_once=2, most_waiting=4, most_trusted=4, choose=itemgetter(0))
    at_work, most_at_work, turns = 0, 0, 0

    async def again_and_again() -> None:
        nonlocal at_work, most_at_work, turns
        while True:
            async with line.turn(Share(("tenant",), is_trusted=True)):
                at_work += 1
                most_at_work = max(most_at_work, at_work)
                await asyncio.sleep(0)
                at_work -= 1
                turns += 1

    tasks = [asyncio.create_task(again_and_again()) for _ in range(4)]
    while turns < 10:
        await asyncio.sleep(0)
    before = turns
    async with asyncio.timeout(30), line.turn(Share(("honest",))):
        assert turns - before <= 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most_at_work == 1
    assert line.waiting == 0
    async with line.turn(Share(("tenant",), is_trusted=True)):
        pass


async def test_two_trusted_shares_in_a_loop_keep_nobody_out() -> None:
    line = Line(at_once=1, most_waiting=4, most_trusted=4, choose=itemgetter(0))
    turns = 0

    async def again_and_again(name: str) -> None:
        nonlocal turns
        while True:
            async with line.turn(Share((name,), is_trusted=True)):
                await asyncio.sleep(0)
                turns += 1

    tasks = [asyncio.create_task(again_and_again(name)) for name in "aabb"]
    while turns < 10:
        await asyncio.sleep(0)
    before = turns
    async with asyncio.timeout(30), line.turn(Share(("honest",))):
        assert turns - before <= 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_leaves_takes_no_turn(crowd: Crowd) -> None:
    [leaving, staying] = await crowd.join(Share(("a",)), Share(("a",)))
    leaving.cancel()
    await asyncio.sleep(0)
    assert crowd.line.waiting == 1
    await crowd.let_go()
    assert crowd.served == ["holder", "a"]
    assert not staying.cancelled()


async def test_a_turn_that_came_to_somebody_who_leaves_goes_on(crowd: Crowd) -> None:
    [leaving, _] = await crowd.join(Share(("a",)), Share(("b",)))
    crowd._held.set()
    while crowd.line.waiting == 2:
        await asyncio.sleep(0)
    leaving.cancel()
    await crowd.let_go()
    assert crowd.served[-1] == "b"
    assert await asyncio.wait_for(_is_free(crowd.line), 5)


async def _is_free(line: Line) -> bool:
    async with line.turn(Share(("later",))):
        return True


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "", True),
    ],
)
def test_whose_share_an_address_is(one: str, other: str, is_same: bool) -> None:
    def share(address: str) -> Share:
        return share_of_address("login", address)

    assert (share(one) == share(other)) is is_same
    assert share_of_address("register", one) != share(one)


async def test_what_passwords_tell() -> None:
    passwords = Passwords(memory_kib=8, passes=1)
    stored = await passwords.hash("right")
    assert await passwords.verify("right", stored) is True
    assert await passwords.verify("wrong", stored) is False
    assert await passwords.verify("right", None) is False

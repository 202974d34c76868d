"""Which connections are aborted because unfinished requests take too much together."""

import random

from server.transport.unfinished import Unfinished

KIB = 1024


class Transport:
    """Is open until it is aborted."""

    def __init__(self) -> None:
        self.is_open = True

    def abort(self) -> None:
        self.is_open = False


def test_the_largest_go_first_and_the_oldest_of_those() -> None:
    counting = Unfinished(400 * KIB)
    usual, first, second, third = (Transport() for _ in range(4))
    counting.note(usual, 6 * KIB)
    for each in (first, second, third):
        counting.note(each, 100 * KIB)
    counting.note(third, 120 * KIB)
    assert counting.total == 326 * KIB
    another = Transport()
    counting.note(another, 90 * KIB)
    assert [each.is_open for each in (usual, first, second, third, another)] == [
        True, False, True, True, True,
    ]  # fmt: skip
    assert counting.total == 316 * KIB


def test_what_is_whole_or_has_gone_counts_no_longer() -> None:
    counting = Unfinished(100 * KIB)
    opened = [Transport() for _ in range(3)]
    for _ in range(10):
        for each in opened:
            counting.note(each, 30 * KIB)
            counting.note(each, 60 * KIB)
            counting.forget(each)
            counting.forget(each)
    assert counting.total == 0
    assert all(each.is_open for each in opened)


def test_one_that_is_larger_than_all_may_be_is_aborted() -> None:
    counting = Unfinished(100 * KIB)
    usual, alone = Transport(), Transport()
    counting.note(usual, 6 * KIB)
    counting.note(alone, 200 * KIB)
    assert usual.is_open
    assert not alone.is_open
    assert counting.total == 6 * KIB


def test_the_limit_holds_whatever_comes() -> None:
    rng = random.Random(1)
    counting = Unfinished(1000)
    sizes: dict[Transport, int] = {}
    for _ in range(5000):
        sizes = {each: size for each, size in sizes.items() if each.is_open}
        if sizes and rng.random() < 0.3:
            gone = rng.choice([*sizes])
            del sizes[gone]
            counting.forget(gone)
        else:
            each = rng.choice([*sizes, Transport()])
            sizes[each] = rng.randrange(400)
            counting.note(each, sizes[each])
        assert counting.total == sum(size for each, size in sizes.items() if each.is_open) <= 1000

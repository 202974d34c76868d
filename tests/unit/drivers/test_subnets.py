"""Small networks out of a pool, beside what is taken."""

from ipaddress import IPv4Network
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.drivers.base import DriverError
from server.drivers.subnets import check_pool, free_subnets, routed

POOL = "10.210.0.0/16"

ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0002D20A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_the_first_free_one() -> None:
    taken = ["10.210.0.0/27", "fd00::/64", "172.17.0.0/16", "nonsense"]
    assert str(next(free_subnets(POOL, taken, start=0))) == "10.210.0.32/27"


def test_a_taken_pool_has_none() -> None:
    assert list(free_subnets(POOL, ["10.0.0.0/8"], start=7)) == []


def test_the_kernels_table_without_the_default_route() -> None:
    assert routed(ROUTES) == ["172.17.0.0/255.255.0.0", "10.210.2.0/255.255.255.0"]
    used = list(free_subnets("10.210.2.0/23", routed(ROUTES), start=0))
    assert used[0] == IPv4Network("10.210.3.0/27")


@given(start=st.integers(0, 5000), taken=st.lists(st.integers(0, 2047), max_size=20))
def test_they_lie_in_the_pool_and_apart(start: int, taken: list[int]) -> None:
    first = int(IPv4Network(POOL).network_address)
    others = [str(IPv4Network((first + 32 * number, 27))) for number in taken]
    found = list(islice(free_subnets(POOL, others, start=start), 30))
    assert len(set(found)) == len(found)
    for subnet in found:
        assert subnet.subnet_of(IPv4Network(POOL))
        assert str(subnet) not in others


def test_all_of_them_from_any_start() -> None:
    assert len(list(free_subnets("10.0.0.0/24", [], start=5))) == 8


@pytest.mark.parametrize("pool", ["10.0.0.0/28", "fd00::/64", "10.0.0.1/16", "here"])
def test_a_pool_that_is_none(pool: str) -> None:
    with pytest.raises(DriverError) as caught:
        check_pool(pool)
    assert "PYK8S_NETWORK_POOL" in caught.value.explanation.title

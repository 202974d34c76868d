"""What a stranger sends costs processor time in proportion to its length, not to its square."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from pyk8s.wire.base import check_text
from server.api import arrival, auth, wire
from server.api.readiness import ReadyQuery
from server.apps import address
from server.apps import headers as app_headers
from server.config import Settings
from server.errors import LabError, ValidationFailed
from server.proxy import bearer, headers, impersonation, paths
from server.proxy.refusals import Refusal
from server.transport import request_rules
from server.transport.cookies import cookies_of
from server.transport.request_rules import BadRequest

SHORT: Final = 2_000
LONGER: Final = 4
MOST: Final = 9.0
"""Four times the input costs four times as much where the cost is linear, sixteen times where it is
quadratic."""
CLUSTER: Final = b"/clusters/00000000-0000-0000-0000-000000000000/"


def query(text: bytes) -> HTTPConnection[Any]:
    return HTTPConnection({"type": "http", "query_string": text, "headers": [], "path": "/"})


def many(template: str, between: str, n: int) -> bytes:
    return between.join(template.replace("#", str(each)) for each in range(n)).encode()


def check_head(target: bytes, host: bytes = b"a") -> None:
    request_rules.check_head(b"GET", target, "1.1", [(b"host", host)])


def read_query(n: int) -> Callable[[], object]:
    connection = query(many("p#", "&", n))
    connection.query_params  # noqa: B018 - parsed by Starlette before
    return lambda: wire.read_query(connection, ReadyQuery)


def named_twice(n: int) -> Callable[[], object]:
    body = b'{"labels":{' + many('"a#":0', ",", n) + b',"a%d":1}}' % (n - 1)
    return lambda: wire.require_distinct_names(body)


def forwarded_for(n: int) -> Callable[[], object]:
    given = Headers({"x-forwarded-for": ",".join(["::1"] * n)})
    return lambda: arrival.shows_others(given, page_host=None)


def hosts_and_origin(n: int) -> Callable[[], object]:
    given = Headers({"host": "localhost:" + "1" * n, "origin": "http://" + "[" * n + "a.b" * n})
    return lambda: arrival.shows_others(given, page_host="backend")


def device_cookie(n: int) -> Callable[[], object]:
    given = [(b"cookie", b'pyk8s_device="%s"' % (b"\\0" * n))]
    state = {"settings": Settings()}
    return lambda: auth.device_mark(
        HTTPConnection({"type": "http", "headers": given, "state": state})
    )


def connection_header(n: int) -> Callable[[], object]:
    given = [(b"connection", many("h#", ",", n)), *((b"x%d" % each, b"") for each in range(n))]
    return lambda: headers.towards_cluster(given, [])


def duplicates(n: int) -> Callable[[], object]:
    return lambda: headers.check_duplicates([(b"x%d" % each, b"") for each in range(n)])


def impersonations(n: int) -> Callable[[], object]:
    def read() -> None:
        with suppress(Refusal):
            impersonation.wanted([(b"impersonate-extra-%d" % each, b"") for each in range(n)])

    return read


def protocols(n: int) -> Callable[[], object]:
    return lambda: bearer.without_bearer(
        [(bearer.PROTOCOLS, many(bearer.IN_PROTOCOL.decode() + "#", ",", n))]
    )


CASES: Final[dict[str, Callable[[int], Callable[[], object]]]] = {
    "the names of a query": read_query,
    "a field that comes twice": named_twice,
    "X-Forwarded-For": forwarded_for,
    "Host and Origin": hosts_and_origin,
    "a cookie full of escapes": device_cookie,
    "Connection": connection_header,
    "headers that come twice": duplicates,
    "headers of an impersonation": impersonations,
    "subprotocols with a token": protocols,
    "cookies of an app": lambda n: (
        lambda: cookies_of([(b"cookie", many("c#=", ";", n))], app_headers.COOKIE)
    ),
    "an app's headers": lambda n: (
        lambda: app_headers.towards_app(
            [(b"cookie", many("c#=", ";", n)), (b"connection", many("h#", ",", n))],
            scheme="http",
            upgrade=False,
        )
    ),
    "the host of an app": lambda n: lambda: address.label_of([(b"host", b"a." * n + b"!")], "a"),
    "the query of an app": lambda n: lambda: address.link_in(many("p#", "&", n)),
    "the path of a cluster": lambda n: lambda: paths.destination(CLUSTER + b"%61/" * n),
    "a path of escapes": lambda n: lambda: paths.destination(CLUSTER + b"%2" * n + b"%"),
    "the target of a request": lambda n: lambda: check_head(b"http://" + b"[@:" * n),
    "the host of a request": lambda n: lambda: check_head(b"/", b"a" * n + b":" + b"1" * n + b"!"),
    "a text": lambda n: lambda: check_text("a" * n + "\0", max_chars=10 * SHORT * LONGER),
}


def seconds(run: Callable[[], object]) -> float:
    """Return the least processor time of some runs: what else the machine does is not counted."""
    least = float("inf")
    for _ in range(5):
        began = time.thread_time()
        with suppress(LabError, Refusal, BadRequest, ValueError):
            run()
        least = min(least, time.thread_time() - began)
    return least


@pytest.mark.parametrize("prepare", CASES.values(), ids=CASES.keys())
def test_cost_is_linear(prepare: Callable[[int], Callable[[], object]]) -> None:
    one, four = prepare(SHORT), prepare(SHORT * LONGER)
    floor = 2e-4  # of what is over sooner the clock tells nothing
    ratios = []
    for _ in range(3):
        ratios.append(seconds(four) / max(seconds(one), floor))
        if ratios[-1] < MOST:
            return
    pytest.fail(f"four times the input cost {min(ratios):.1f} times as much")


def test_a_query_of_too_many_parameters_names_the_way_out() -> None:
    most = wire.MAX_QUERY_PARAMETERS
    fits, too_many = query(b"&".join([b"verbose="] * most)), query(b"&" * most)
    with pytest.raises(ValidationFailed) as wrong:
        wire.read_query(fits, ReadyQuery)
    assert "more than" not in wrong.value.detail
    with pytest.raises(ValidationFailed) as refused:
        wire.read_query(too_many, ReadyQuery)
    assert str(most) in refused.value.detail
    assert "commas" in (refused.value.fix or "")

"""What passes between a browser and an app."""

from server.apps import headers as rules
from server.proxy.refusals import Headers


def towards_app(*pairs: tuple[bytes, bytes], upgrade: bool = False) -> dict[bytes, bytes]:
    given: Headers = [(b"host", b"web-1.localhost:8444"), *pairs]
    return dict(rules.towards_app(given, scheme="http", upgrade=upgrade))


def test_an_app_sees_no_cookie_of_ours() -> None:
    cookies = b"a=1; pyk8s_app=secret; pyk8s_session=s; __Host-pyk8s_session=t; b=2"
    cookies += b"; pyk8s_device=d; __Host-pyk8s_device=e"
    assert towards_app((b"cookie", cookies))[b"cookie"] == b"a=1; b=2"
    assert b"cookie" not in towards_app((b"cookie", b"pyk8s_app=secret"))


def test_an_app_hears_from_us_where_it_is_seen() -> None:
    got = towards_app(
        (b"x-forwarded-host", b"evil"),
        (b"forwarded", b"host=evil"),
        (b"x-real-ip", b"1.2.3.4"),
        (b"x_forwarded_for", b"1.2.3.4"),
        (b"x_real-ip", b"1.2.3.4"),
    )
    assert got == {b"x-forwarded-host": b"web-1.localhost:8444", b"x-forwarded-proto": b"http"}


def test_hop_by_hop_headers_stay_here() -> None:
    got = towards_app((b"connection", b"x-hop"), (b"x-hop", b"1"), (b"te", b"trailers"))
    assert got.keys() == {b"x-forwarded-host", b"x-forwarded-proto"}


def test_a_websocket_brings_its_key_only_with_an_upgrade() -> None:
    key = (b"sec-websocket-key", b"k")
    assert b"sec-websocket-key" not in towards_app(key)
    assert towards_app(key, upgrade=True)[b"sec-websocket-key"] == b"k"


def test_a_cookie_of_an_app_is_for_its_own_host_and_never_ours() -> None:
    got = rules.towards_browser(
        [
            (b"Set-Cookie", b"a=1; Domain=localhost; Path=/"),
            (b"Set-Cookie", b"pyk8s_session=stolen; Path=/"),
            (b"Set-Cookie", b"pyk8s_app =stolen"),
            (b"Strict-Transport-Security", b"max-age=1"),
        ]
    )
    assert got == [(b"set-cookie", b"a=1; Path=/")]

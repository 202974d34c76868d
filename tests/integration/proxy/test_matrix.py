"""Headers and paths that try to become somebody else, or to get somewhere else."""

import itertools

from tests.integration.proxy.conftest import Site

NAMES = (
    "Impersonate",
    "Impersonation-User",
    "X-Remote-User",
    "X-Remote-Group",
    "X-Remote-Extra-x",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Uri",
    "Forwarded",
    "X-Real-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "Proxy-Authorization",
    "Cookie",
    "Te",
    "Trailer",
    "Keep-Alive",
    "Proxy-Connection",
    "Audit-ID",
)


def spellings(name: str) -> list[tuple[str, ...]]:
    """Say a forbidden header in the ways that servers have been known to take for it."""
    value = "system:masters"
    return [
        (f"{name}: {value}",),
        (f"{name.lower()}: {value}",),
        (f"{name.upper()}:{value}",),
        (f"{name}: ann", f"{name}: {value}"),
        (f"{name.replace('-', '_')}: {value}",),
        (f"{name}: {value}", f"Connection: keep-alive, {name}"),
    ]


FORGED = [spelling for name in NAMES for spelling in spellings(name)]

TRICKS: list[tuple[str, ...]] = [
    ("Connection: Impersonate-User, Impersonate-Group",),
    ("Connection: close, impersonate-user", "Connection: impersonate-group"),
    ("Connection: Authorization, Host, Accept", "Accept: application/json"),
    ("Accept: application/json", "Accept: text/plain", "Connection: accept"),
    ("Connection: user-agent", "User-Agent: Impersonate-User: system:masters"),
    ("User-Agent: x\x0bImpersonate-User: system:masters",),
]


async def only_ann_came(site: Site, forged: tuple[str, ...]) -> None:
    got = site.api.headers()
    assert [value for name, value in got if name == b"impersonate-user"] == [b"ann"]
    assert [value for name, value in got if name == b"impersonate-group"] == [b"pyk8s:users"]
    others = {b"host", b"impersonate-user", b"impersonate-group", b"accept", b"user-agent"}
    assert {name for name, _ in got} <= others, forged
    assert not [name for name, _ in got if name == b"authorization"]


async def test_the_cluster_sees_one_identity_whatever_is_sent(site: Site) -> None:
    assert len(FORGED) + len(TRICKS) > 120
    for forged in [*FORGED, *TRICKS]:
        heads = len(site.api.heads)
        status, _, _ = await site.ask(site.at("/api/v1/pods"), *forged)
        if len(site.api.heads) == heads:
            assert status == 400, forged  # refused by the parser or by us: it went nowhere
        else:
            assert status == 200, forged
            await only_ann_came(site, forged)


DOUBLED = (
    ("Authorization: Bearer other",),
    ("Content-Type: a/b", "Content-Type: c/d"),
    ("Content-Length: 0", "Content-Length: 5"),
    ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: chunked, identity",),
    ("Transfer-Encoding: xchunked",),
    ("Host: second",),
    (" Impersonate-User: folded",),
    ("Impersonate-User : spaced",),
    ("If-Match: a", "Range: bytes=0-1", "Range: bytes=2-3"),
)


async def test_what_can_be_read_in_two_ways_is_refused(site: Site) -> None:
    for headers in DOUBLED:
        status, answered, _ = await site.ask(site.at("/api/v1/pods"), *headers)
        assert status == 400, headers
        assert answered["connection"] == "close", headers
    assert site.api.heads == []


BAD_PATHS = (
    "/api/../../x", "/api/..", "/./api", "/api/%2e%2e/x", "/api/%2E./x", "/api/.%2e", "/api/%2e",
    "/api//v1", "//api", "/api/v1%2fpods", "/api/v1%2Fpods", "/api/v1%5cpods", "/api/v1\\pods",
    "/api/%00", "/api/%0d%0aImpersonate-User:%20x", "/api/%zz", "/api/%", "/api/%2", "/api/\x7f",
)  # fmt: skip


async def test_a_path_that_could_be_read_as_another_goes_nowhere(site: Site) -> None:
    for path in BAD_PATHS:
        status, _, _ = await site.ask(site.at(path))
        assert status in {400, 404}, path
    assert site.api.heads == []


async def test_a_credential_opens_its_own_cluster_only(site: Site) -> None:
    mine, other = site.mine, site.other
    for target, expected in {
        f"/clusters/{other}/api": 403,
        f"/clusters/{mine}/../{other}/api": 400,
        f"/clusters/{mine.upper()}/api": 404,
        f"/clusters/%7B{mine}%7D/api": 404,
        f"//clusters/{mine}/api": 400,
        f"/clusters/{mine}x/api": 404,
        "/clusters/mine/api": 404,
        "/clusters/": 404,
        f"http://proxy/clusters/{other}/api": 403,
        f"http://127.0.0.1:1/clusters/{mine}/api": 400,
        f"{site.at('/api/v1/nodes/node/proxy/pods')}": 403,
        f"{site.at('/api/v1/nodes/node:10250/proxy')}": 403,
        f"{site.at('/api/v1/%6eodes/node/pro%78y/x')}": 403,
    }.items():
        status, _, _ = await site.ask(target)
        assert status == expected, target
    assert site.api.heads == []


async def test_what_kubernetes_writes_in_paths_passes_as_it_is(site: Site) -> None:
    for path in (
        "/",
        "",
        "/api/v1/namespaces/a/pods?watch=1&fieldSelector=metadata.name%3Dx&q=..%2f..",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
        "/api/v1/namespaces/a/services/https:web:443/proxy/a/",
        "/api/v1/nodes/node/status",
    ):
        status, _, body = await site.ask(site.at(path))
        assert status == 200
        sent = path if path.startswith("/") else f"/{path}"
        assert site.api.target().decode() == sent
        assert sent.encode() in body


WRONG = ("", "Bearer", "Basic YTpi", "Bearer pyk8s_kube_wrong", "Bearer " + "x" * 5000)


async def test_without_a_credential_nothing_is_reached(site: Site) -> None:
    for authorization in WRONG:
        reader, writer = await site.connect()
        said = f"Authorization: {authorization}\r\n" if authorization else ""
        writer.write(f"GET {site.at('/api')} HTTP/1.1\r\nHost: x\r\n{said}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401 "), authorization
        writer.close()
    tokens = itertools.chain([site.ann.token], ["pyk8s_kube_" + "A" * 43])
    for token in tokens:
        status, headers, body = await site.ask(site.at("/api"), token=token)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert b'"reason":"Unauthorized"' in body
    answer = await site.ann.http.get(
        "/api/v1/auth/me", headers={"Authorization": f"Bearer {site.token}"}
    )
    assert answer.status_code == 401
    assert site.api.heads == []

"""Who a request is inside: the credential's user, whom the user may impersonate, or a token's."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import serialization
from ruamel.yaml import YAML

from server.kube.upstream import RENEW_SECONDS, Upstreams
from server.proxy import impersonation
from server.store import access
from tests.integration.proxy import identifying
from tests.integration.proxy.conftest import Site, read_head
from tests.integration.proxy.identifying import PROXY, IdentifyingApi
from tests.integration.proxy.test_matrix import spellings

ANN = {"commonName": ["ann"], "organizationName": ["pyk8s:users"]}
PODS = "/api/v1/namespaces/default/pods"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
IDENTITY = (b"impersonate-", b"authorization", b"x-remote-")
HANDSHAKE = (
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip


def jwt(**claims: str) -> str:
    parts = (json.dumps(each).encode() for each in ({"alg": "RS256"}, claims))
    encoded = [base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


ROBOT = jwt(sub="system:serviceaccount:default:robot")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[IdentifyingApi]:
    made, context = identifying.make(tmp_path / "api")
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


def identity(api: IdentifyingApi) -> list[tuple[bytes, bytes]]:
    return [pair for pair in api.headers() if pair[0].startswith(IDENTITY)]


async def review(
    site: Site, token: str, *, bearer: str | None = None, path: str = REVIEWS, **spec: Any
) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"kind": "TokenReview", "spec": {"token": token, **spec}})
    reader, writer = await site.connect()
    writer.write(
        f"POST {site.at(path)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        f"{bearer or site.token}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    async with asyncio.timeout(30):
        status, headers = await read_head(reader)
        said = json.loads(await reader.readexactly(int(headers["content-length"])))
    writer.close()
    return status, said


async def test_who_impersonates_comes_under_a_certificate_of_their_own(
    site: Site, api: IdentifyingApi
) -> None:
    asked = (
        "Impersonate-User: system:serviceaccount:default:robot", "impersonate-group: a",
        "IMPERSONATE-GROUP: b", "Impersonate-Uid: 42", "Impersonate-Extra-Acme.io%2fProject: x",
    )  # fmt: skip
    status, _, _ = await site.ask(site.at(PODS), *asked)
    assert status == 200
    assert identity(api) == [
        (b"impersonate-user", b"system:serviceaccount:default:robot"),
        (b"impersonate-group", b"a"),
        (b"impersonate-group", b"b"),
        (b"impersonate-uid", b"42"),
        (b"impersonate-extra-acme.io%2fproject", b"x"),
    ]
    assert api.peers == [ANN]
    status, _, _ = await site.ask(site.at(PODS))
    assert status == 200
    assert identity(api) == [(b"impersonate-user", b"ann"), (b"impersonate-group", b"pyk8s:users")]
    assert api.peers[1:] == [{"commonName": [PROXY]}]
    await site.ask(site.at(PODS), "Impersonate-User: bob")
    assert (api.peers[-1], api.signed) == (ANN, 1)


async def test_one_certificate_serves_all_who_wait_for_it(site: Site, api: IdentifyingApi) -> None:
    answers = await asyncio.gather(
        *(site.ask(site.at(PODS), f"Impersonate-User: u{each}") for each in range(20))
    )
    assert {status for status, _, _ in answers} == {200}
    assert api.peers == [ANN] * 20
    assert api.signed == 1


async def test_a_cluster_that_signs_nothing_answers_nobody_else(
    site: Site, api: IdentifyingApi
) -> None:
    api.signs = False
    status, _, body = await site.ask(site.at(PODS), "Impersonate-User: bob")
    assert (status, json.loads(body)["reason"]) == (503, "ServiceUnavailable")
    api.signs, api.swaps_keys = True, True
    status, _, body = await site.ask(site.at(PODS), "Impersonate-User: bob")
    assert (status, "cannot be used" in json.loads(body)["message"]) == (503, True)
    assert api.peers == []
    api.swaps_keys = False
    assert (await site.ask(site.at(PODS), "Impersonate-User: bob"))[0] == 200


async def test_a_certificate_is_renewed_before_it_ends(site: Site, api: IdentifyingApi) -> None:
    now = [1_000_000.0]
    database, sealer = site.server.state["database"], site.server.state["sealer"]
    async with database.reading() as reading:
        way = await access.way_into(reading, UUID(site.mine))
    assert way is not None
    ann = (UUID(site.mine), way.attempt_id, "ann")
    async with aclosing(Upstreams(database, sealer, clock=lambda: now[0])) as upstreams:
        first = await upstreams.as_person(*ann)
        now[0] += RENEW_SECONDS - 1
        assert await upstreams.as_person(*ann) is first
        session = first.session
        async with asyncio.timeout(30), session.get(f"{first.url}/watch") as watch:
            now[0] += 2
            assert (await upstreams.as_person(*ann)).session is not session
            for number in range(5):
                assert await watch.content.readline() == b"line %d\n" % number
        assert api.signed == 2
        del first, watch
        async with asyncio.timeout(10):
            while not session.closed:  # its last user has let go of it
                await asyncio.sleep(0.01)


async def test_exec_is_under_the_impersonated_name_too(site: Site, api: IdentifyingApi) -> None:
    subprotocol = "Sec-WebSocket-Protocol: v5.channel.k8s.io"
    for bearer, told, peer in (
        (site.token, [(b"impersonate-user", b"bob")], ANN),
        (f"{site.token}.{ROBOT}", [(b"authorization", f"Bearer {ROBOT}".encode())], {}),
    ):
        reader, writer = await site.connect()
        lines = [f"GET {site.at(PODS)}/x/tunnel HTTP/1.1", "Host: x", *HANDSHAKE, subprotocol]
        lines += [f"Authorization: Bearer {bearer}", *(["Impersonate-User: bob"] if peer else [])]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(30):
            assert (await read_head(reader))[0] == 101
        assert identity(api) == told
        assert api.peers[-1] == peer
        writer.close()


NAMES = ("Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-scopes")


async def test_no_spelling_of_an_identity_gets_in_under_another_certificate(
    site: Site, api: IdentifyingApi
) -> None:
    for forged in (spelling for name in NAMES for spelling in spellings(name)):
        reached = len(api.heads)
        status, _, _ = await site.ask(site.at(PODS), *forged)
        if status == 400:
            assert len(api.heads) == reached, forged
        else:
            sent = [line.partition(":")[::2] for line in forged]
            told = [(name.lower().encode(), value.strip().encode()) for name, value in sent]
            assert (status, identity(api), api.peers[-1]) == (200, told, ANN), forged


REFUSED: tuple[tuple[str, ...], ...] = (
    ("Impersonate-User: bob", "Impersonate-User: ann"),
    ("Impersonate-User: bob", "impersonate-user: bob"),
    ("Impersonate-User: bob", "Impersonate-Uid: 1", "Impersonate-Uid: 2"),
    ("Impersonate-User: bob", "Connection: Impersonate-User"),
    ("Impersonate-User: bob", "Impersonate-Group: a", "Connection: keep-alive, impersonate-group"),
    ("Impersonate_User: bob",),
    ("Impersonate-User: bob", "Impersonate_Group: a"),
    ("Impersonate-User: bob", "Impersonate-Extra_x: a"),
    ("Impersonate-User: bob", "Impersonate-Extra-: a"),
    ("Impersonate-User: bob", "Impersonate-Groups: a"),
    ("Impersonate-User: \xe9",),
    ("Impersonate-User: bob", *("Impersonate-Group: a",) * impersonation.MAX_HEADERS),
    ("Impersonate-User: bob", "Impersonate-Group: " + "a" * impersonation.MAX_BYTES),
)


async def test_what_could_mean_another_identity_is_refused(site: Site, api: IdentifyingApi) -> None:
    for headers in REFUSED:
        status, _, body = await site.ask(site.at(PODS), *headers)
        assert status == 400, (headers, body)
        assert (json.loads(body)["reason"], api.heads) == ("BadRequest", []), headers


async def test_a_name_that_is_not_ascii_arrives_as_it_was_sent(
    site: Site, api: IdentifyingApi
) -> None:
    name = "jürgen".encode()
    status, _, _ = await site.ask(site.at(PODS), f"Impersonate-User: {name.decode('latin-1')}")
    assert (status, identity(api)) == (200, [(b"impersonate-user", name)])


async def test_a_token_of_the_cluster_decides_who_one_is_inside(
    site: Site, api: IdentifyingApi
) -> None:
    status, _, _ = await site.ask(
        site.at(PODS), "Impersonate-User: bob", token=f"{site.token}.{ROBOT}"
    )
    told = [(b"authorization", f"Bearer {ROBOT}".encode()), (b"impersonate-user", b"bob")]
    assert (status, sorted(identity(api)), api.peers) == (200, sorted(told), [{}])
    assert site.token.encode() not in api.heads[-1]


async def test_a_token_of_the_cluster_alone_opens_nothing(site: Site, api: IdentifyingApi) -> None:
    for token, said in (
        (ROBOT, "system:serviceaccount:default:robot"),
        (f"pyk8s_kube_{'A' * 43}.{ROBOT}", "expired or was revoked"),
        (f"{site.token}.", "no bearer token"),
        (f"{site.token}.a b", "no bearer token"),
        (f"{site.token}.{'a' * 20_000}", "more than 16384 bytes"),
        ("a.b.c", "no credential of this server's"),
        (jwt(sub="evil\x1b[2J"), "evil[2J"),
    ):
        status, headers, body = await site.ask(site.at(PODS), token=token)
        assert (status, headers["www-authenticate"]) == (401, "Bearer"), token
        assert said in json.loads(body)["message"], token
    assert api.heads == []


async def test_a_revoked_credential_ends_its_token_too(site: Site, api: IdentifyingApi) -> None:
    joined = f"{site.token}.{ROBOT}"
    assert (await site.ask(site.at(PODS), token=joined))[0] == 200
    reader, writer = await site.connect()
    request = f"GET {site.at('/watch')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {joined}\r\n"
    writer.write(f"{request}\r\n".encode())
    async with asyncio.timeout(30):
        assert (await read_head(reader))[0] == 200
        path = f"/api/v1/clusters/{site.mine}/credentials/{site.credential['id']}"
        assert (await site.ann.http.delete(path)).status_code == 204
        while await reader.read(65536):
            pass
    assert (await site.ask(site.at(PODS), token=joined))[0] == 401
    writer.close()


async def test_a_browser_sends_its_token_as_a_subprotocol(site: Site, api: IdentifyingApi) -> None:
    encoded = base64.urlsafe_b64encode(site.token.encode()).rstrip(b"=").decode()
    ours = f"base64url.bearer.authorization.k8s.io.{encoded}"
    for listed, status in ((f"{ours}, v4.channel.k8s.io", 101), (f"{ours}, {ours}, x", 400)):
        reader, writer = await site.connect()
        lines = [f"GET {site.at('/tunnel')} HTTP/1.1", "Host: x", *HANDSHAKE]
        lines += [f"Sec-WebSocket-Protocol: {listed}", "", ""]
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(30):
            assert (await read_head(reader))[0] == status
        writer.close()
    assert dict(api.headers())[b"sec-websocket-protocol"] == b"v4.channel.k8s.io"
    assert encoded.encode() not in api.heads[-1]


async def test_a_review_of_the_credential_is_answered_and_goes_nowhere(
    site: Site, api: IdentifyingApi
) -> None:
    status, said = await review(site, site.token)
    assert (status, said["kind"]) == (201, "TokenReview")
    groups = ["pyk8s:users", "system:authenticated"]
    assert said["status"] == {
        "authenticated": True,
        "user": {"username": "ann", "groups": groups},
    }
    status, said = await review(site, site.token, audiences=["vault"])
    assert (status, said["status"].get("authenticated", False)) == (201, False)
    status, said = await review(site, "pyk8s_kube_" + "A" * 43)
    assert (status, said["status"].get("authenticated", False)) == (201, False)
    status, said = await review(site, site.token, path=REVIEWS.replace("token", "%74oken"))
    assert (status, said["status"]["user"]["username"]) == (201, "ann")
    for hidden in (f" {site.token}", f"Bearer {site.token}"):
        status, said = await review(site, hidden)
        assert (status, said["reason"]) == (400, "BadRequest")
    assert api.heads == []


async def test_a_review_of_the_clusters_own_token_is_for_the_cluster(
    site: Site, api: IdentifyingApi
) -> None:
    joined = f"{site.token}.{ROBOT}"
    for token, bearer in ((ROBOT, site.token), (joined, joined), (joined, site.token)):
        status, _ = await review(site, token, bearer=bearer)
        assert status == 200
        assert json.loads(api.bodies[-1])["spec"]["token"] == ROBOT
    status, said = await review(site, "x" * 100_000)
    assert (status, said["reason"], len(api.bodies)) == (413, "RequestEntityTooLarge", 3)


async def test_a_path_without_a_cluster_goes_to_that_of_the_credential(
    site: Site, api: IdentifyingApi
) -> None:
    for path in ("/api/v1/pods?limit=1", "/", "/apis", "/version"):
        assert (await site.ask(path))[0] == 200
        assert api.target().decode() == path
    status, headers, _ = await site.ask("/redirect-in")
    assert (status, headers["location"]) == (301, "/api/v1/")
    asked = len(api.heads)
    for path, expected in {
        "/api/v1/nodes/node/proxy/pods": 403,
        "/api/../x": 400,
        "/api/%2e%2e/x": 400,
        f"/%63lusters/{site.other}/api": 404,
        "/clusters": 404,
        f"/clusters/{site.other}/api": 403,
    }.items():
        assert (await site.ask(path))[0] == expected, path
    assert (await site.ask("/api", token="pyk8s_kube_" + "A" * 43))[0] == 401
    assert len(api.heads) == asked
    path = f"/api/v1/clusters/{site.mine}/credentials/{site.credential['id']}"
    assert (await site.ann.http.delete(path)).status_code == 204
    assert (await site.ask("/api"))[0] == 401


async def kubeconfig(site: Site, **query: str | int) -> tuple[int, str]:
    path = f"/api/v1/clusters/{site.mine}/kubeconfig"
    answer = await site.ann.http.get(path, params=query, timeout=60)
    return answer.status_code, answer.text


async def test_a_kubeconfig_for_a_service_account_holds_both(
    site: Site, api: IdentifyingApi
) -> None:
    api.tokens["/api/v1/namespaces/a/serviceaccounts/robot.x/token"] = ROBOT
    status, text = await kubeconfig(site, service_account="a/robot.x", expires_in_seconds=700)
    assert status == 200, text
    config = YAML(typ="safe", pure=True).load(text)
    assert config["current-context"] == "pyk8s-mine.sa.a.robot.x"
    token = config["users"][0]["user"]["token"]
    assert token.partition(".")[2] == ROBOT
    assert identity(api) == [(b"impersonate-user", b"ann"), (b"impersonate-group", b"pyk8s:users")]
    assert json.loads(api.bodies[-1])["spec"] == {"expirationSeconds": 700}
    assert (await site.ask("/api", token=token))[0] == 200
    assert identity(api) == [(b"authorization", f"Bearer {ROBOT}".encode())]


async def test_what_makes_no_kubeconfig_for_a_service_account_leaves_no_credential(
    site: Site, api: IdentifyingApi
) -> None:
    api.tokens["/api/v1/namespaces/a/serviceaccounts/evil/token"] = "x\nusers: []"
    before = (await site.ann.http.get(f"/api/v1/clusters/{site.mine}/credentials")).json()
    for query, expected, said in (
        ({"service_account": "a/none"}, 422, "not found"),
        ({"service_account": "a/evil"}, 503, "no token"),
        ({"service_account": "../x"}, 422, "service_account"),
        ({"service_account": "a/../b"}, 422, "service_account"),
        ({"service_account": "a/b", "endpoint": "direct"}, 422, "endpoint=proxy"),
    ):
        status, text = await kubeconfig(site, **query)
        assert (status, said in text) == (expected, True), (query, text)
    after = (await site.ann.http.get(f"/api/v1/clusters/{site.mine}/credentials")).json()
    assert after == before


async def test_a_direct_kubeconfig_has_a_key_that_every_client_reads(
    site: Site, api: IdentifyingApi
) -> None:
    status, text = await kubeconfig(site, endpoint="direct")
    assert status == 200, text
    config = YAML(typ="safe", pure=True).load(text)
    assert config["current-context"] == "pyk8s-mine.direct"
    key = base64.b64decode(config["users"][0]["user"]["client-key-data"])
    assert key.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    assert serialization.load_pem_private_key(key, None)

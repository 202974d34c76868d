"""Which answers are compressed, for whom, and what that may take of the processors."""

import gzip
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_args

import anyio
import pytest
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from server.api.compression import (
    INLINE_BYTES,
    MAX_BYTES,
    MIN_BYTES,
    Compressor,
    accepts_gzip,
    compressed,
)
from server.api.routes import ENDPOINTS

CLUSTER = "/api/v1/clusters/{id_or_name}"
GZIP = Headers({"Accept-Encoding": "gzip"})

SECRETS = "its answer carries a secret, or sets a cookie that is one"
NEAR_SECRETS = "it is about secrets, and small"
SMALL = "it is small"
PLAIN = {
    ("POST", "/api/v1/auth/register"): SECRETS,
    ("POST", "/api/v1/auth/login"): SECRETS,
    ("POST", "/api/v1/auth/logout"): NEAR_SECRETS,
    ("GET", "/api/v1/auth/me"): NEAR_SECRETS,
    ("GET", "/api/v1/server"): NEAR_SECRETS,
    ("POST", "/api/v1/tokens"): SECRETS,
    ("GET", "/api/v1/tokens"): NEAR_SECRETS,
    ("DELETE", "/api/v1/tokens/{token_id}"): NEAR_SECRETS,
    ("GET", f"{CLUSTER}/kubeconfig"): SECRETS,
    ("POST", f"{CLUSTER}/credentials"): SECRETS,
    ("GET", f"{CLUSTER}/credentials"): NEAR_SECRETS,
    ("DELETE", f"{CLUSTER}/credentials/{{credential_id}}"): NEAR_SECRETS,
    ("GET", f"{CLUSTER}/apps"): NEAR_SECRETS,
    ("POST", f"{CLUSTER}/apps"): NEAR_SECRETS,
    ("DELETE", f"{CLUSTER}/apps/{{app_id}}"): NEAR_SECRETS,
    ("POST", f"{CLUSTER}/apps/{{app_id}}/links"): SECRETS,
    ("DELETE", f"{CLUSTER}/apps/{{app_id}}/links"): NEAR_SECRETS,
    ("GET", f"{CLUSTER}/pods/{{namespace}}/{{pod}}/log"): "what a workload prints may be a secret, "
    "beside what strangers have sent to it",
    ("GET", f"{CLUSTER}/evidence"): "it is compressed already",
    ("GET", f"{CLUSTER}/terminals"): SMALL,
    ("DELETE", f"{CLUSTER}/terminals/{{terminal_id}}"): SMALL,
    ("GET", f"{CLUSTER}/idle"): SMALL,
    ("GET", f"{CLUSTER}/usage"): SMALL,
    ("POST", "/api/v1/clusters"): SMALL,
    ("DELETE", CLUSTER): SMALL,
    **{("POST", f"{CLUSTER}/{verb}"): SMALL for verb in ("extend", "cancel", "retry")},
    **{("POST", f"{CLUSTER}/{verb}"): SMALL for verb in ("pause", "resume")},
    ("POST", f"{CLUSTER}/images"): SMALL,
    ("PUT", "/api/v1/admin/pool"): SMALL,
    ("POST", "/api/v1/admin/drift/repair"): SMALL,
    ("GET", "/healthz"): SMALL,
    ("GET", "/readyz"): SMALL,
}
"""Every route that is not compressed, and why."""

SECRET_FIELDS = {"token", "password", "setup_code", "secret", "kubeconfig", "certificate", "key"}


def test_every_route_that_stays_plain_is_named_with_its_reason() -> None:
    compressible = {(each.method, each.path) for each in ENDPOINTS if each.compressible}
    assert {(each.method, each.path) for each in ENDPOINTS} - compressible == set(PLAIN)
    assert not compressible & set(PLAIN)
    assert {method for method, _ in compressible} == {"GET"}


def test_no_answer_that_is_compressed_has_a_field_for_a_secret() -> None:
    for endpoint in ENDPOINTS:
        if endpoint.compressible:
            models = [each for each in endpoint.answers.values() if isinstance(each, type)]
            for model in models:
                found = set(_fields(model, set()))
                assert not found & SECRET_FIELDS, (endpoint.path, found & SECRET_FIELDS)


def test_the_look_for_secret_fields_finds_them() -> None:
    created = next(each for each in ENDPOINTS if (each.method, each.path) == TOKEN)
    assert isinstance(created.answers[201], type)
    assert "token" in set(_fields(created.answers[201], set()))


TOKEN = ("POST", "/api/v1/tokens")


def _fields(model: type[BaseModel], seen: set[type]) -> Iterator[str]:
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield name
        for each in _models_in(field.annotation):
            yield from _fields(each, seen)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], False),
        (["gzip"], True),
        (["deflate, gzip;q=1.0, *;q=0.5"], True),
        (["x-gzip"], True),
        (["GZIP"], True),
        (["*"], True),
        (["br", "gzip"], True),
        (["gzip;q=0"], False),
        (["gzip; q=0.0, *"], False),
        (["*;q=0"], False),
        (["identity"], False),
        (["identity, gzip;q=0.5"], False),
        (["gzip;q=nonsense"], False),
        (["gzipped"], False),
        (["br, zstd"], False),
        ([""], False),
    ],
)
def test_what_a_client_accepts(given: list[str], expected: bool) -> None:
    raw = [(b"accept-encoding", value.encode()) for value in given]
    assert accepts_gzip(Headers(raw=raw)) is expected


async def test_a_small_body_stays_as_it_is_and_so_does_an_immense_one() -> None:
    compressor = Compressor(1, compress=lambda _: b"compressed")
    assert await compressor.body(b"x" * (MIN_BYTES - 1)) is None
    assert await compressor.body(b"x" * MIN_BYTES) == b"compressed"
    assert await compressor.body(bytes(MAX_BYTES + 1)) is None


async def test_a_large_body_is_compressed_off_the_event_loop() -> None:
    where: list[int] = []

    def compress(body: bytes) -> bytes:
        where.append(threading.get_ident())
        return body[:1]

    compressor = Compressor(1, compress=compress)
    await compressor.body(b"x" * (INLINE_BYTES + 1))
    assert where[0] != threading.get_ident()
    await compressor.body(b"x" * INLINE_BYTES)
    assert where[1] == threading.get_ident()


async def test_a_flood_of_large_answers_goes_out_as_it_is_beyond_the_threads() -> None:
    go_on, began = threading.Event(), threading.Event()

    def compress(_: bytes) -> bytes:
        began.set()
        assert go_on.wait(30)
        return b"compressed"

    compressor = Compressor(1, compress=compress)
    body = b"x" * (INLINE_BYTES + 1)
    first: list[bytes | None] = []

    async def ask() -> None:
        first.append(await compressor.body(body))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await anyio.to_thread.run_sync(began.wait, 30)
        assert compressor.is_busy
        with anyio.fail_after(30):
            for _ in range(100):
                assert await compressor.body(body) is None
            answer = await compressed(_log([b"a line\n" * 1000]), GZIP, compressor)
            assert "content-encoding" not in answer.headers
        go_on.set()
    assert first == [b"compressed"]
    assert not compressor.is_busy


async def test_a_text_that_comes_in_pieces_is_compressed_whole() -> None:
    lines = [f"line {number}\n".encode() * 500 for number in range(20)]
    answer = await compressed(_log(lines), GZIP, Compressor(1))
    assert isinstance(answer, StreamingResponse)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    body = b"".join([bytes(piece) async for piece in answer.body_iterator])  # type: ignore[arg-type]
    assert gzip.decompress(body) == b"".join(lines)


async def test_what_is_live_or_no_text_is_left_alone() -> None:
    class Live(StreamingResponse):
        pass

    large = b"x" * 100_000
    for answer in (
        Live(_pieces([large]), media_type="text/plain"),
        StreamingResponse(_pieces([large]), media_type="text/event-stream"),
        Response(large, media_type="application/gzip"),
    ):
        same = await compressed(answer, GZIP, Compressor(1))
        assert same is answer
        assert "content-encoding" not in answer.headers
        assert answer.headers["cache-control"] == "no-transform"


def _log(lines: list[bytes]) -> StreamingResponse:
    return StreamingResponse(_pieces(lines), media_type="text/plain; charset=utf-8")


async def _pieces(lines: list[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line

"""Documents, files and templates bear an ETag, and 304 answers who has them still."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.datastructures import Headers

from server.api.revalidation import matches
from server.config import Settings
from tests.integration.conftest import Caller, LabServer, serving
from tests.integration.test_api import problem

DOCUMENTS = ("/openapi.json", "/asyncapi.json", "/docs", "/docs/stream", "/docs/stream.css",
             "/robots.txt", "/favicon.ico", "/docs/assets/swagger-ui.css")  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (['"a"'], True),
        (['W/"a"'], True),
        (['"b", "a"'], True),
        (['"b"', 'W/"a"'], True),
        (["*"], True),
        ([' "b" ,"c",W/"a" '], True),
        (['"x,y","a"'], True),
        (['"b"'], False),
        (["a"], False),
        (['"b, a"'], False),
        (['"a'], False),
        ([""], False),
        ([], False),
    ],
)
@pytest.mark.parametrize("etag", ['"a"', 'W/"a"'])
def test_every_form_of_if_none_match(given: list[str], expected: bool, etag: str) -> None:
    raw = [(b"if-none-match", value.encode()) for value in given]
    assert matches(Headers(raw=raw), etag) is expected


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_document_is_sent_once(lab_server: LabServer, path: str) -> None:
    async with httpx.AsyncClient(base_url=lab_server.base_url, trust_env=False) as http:
        plain = await http.get(path, headers={"Accept-Encoding": "identity"})
        tag = plain.headers["etag"]
        assert plain.headers["cache-control"] == "no-cache"
        assert "content-encoding" not in plain.headers
        for named in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            same = await http.get(
                path, headers={"If-None-Match": named, "Accept-Encoding": "identity"}
            )
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == tag
            assert same.headers["cache-control"] == "no-cache"
        other = await http.get(
            path, headers={"If-None-Match": '"other"', "Accept-Encoding": "identity"}
        )
        assert (other.status_code, other.content) == (200, plain.content)
        head = await http.head(path, headers={"Accept-Encoding": "identity"})
        assert head.headers["etag"] == tag
        if len(plain.content) < 1024:
            return
        zipped = await http.get(path, headers={"Accept-Encoding": "gzip"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.content == plain.content
        assert int(zipped.headers["content-length"]) < len(plain.content) / 2
        assert zipped.headers["etag"] != tag
        assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
        assert zipped.headers["content-type"] == plain.headers["content-type"]
        again = {"If-None-Match": zipped.headers["etag"], "Accept-Encoding": "gzip"}
        assert (await http.get(path, headers=again)).status_code == 304


async def test_templates_are_asked_for_again_by_who_may_see_them(ann: Caller) -> None:
    path = "/api/v1/templates"
    first = await ann.http.get(path, headers={"Accept-Encoding": "gzip"})
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    assert first.headers["cache-control"] == "private, no-cache"
    same = await ann.http.get(path, headers={"If-None-Match": tag, "Accept-Encoding": "identity"})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == tag
    assert same.headers["cache-control"] == "private, no-cache"
    assert same.headers["vary"] == "Accept-Encoding"
    other = await ann.http.get(path, headers={"If-None-Match": '"other"'})
    assert other.json() == first.json()
    nobody = {"If-None-Match": tag, "Authorization": "Bearer pyk8s_none"}
    problem(await ann.http.get(path, headers=nobody), 401, "unauthenticated")


async def test_a_file_of_the_page_is_compressed_once(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "_next" / "static").mkdir(parents=True)
    (out / "index.html").write_text("<p>" + "a page " * 1000)
    script = out / "_next" / "static" / "chunk.js"
    script.write_text("//" + "x" * 5000)
    with_page = settings.model_copy(update={"ui_dir": out})
    async with (
        serving(with_page) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as http,
    ):
        for path, control in (("/", "no-cache"), ("/_next/static/chunk.js", "immutable")):
            zipped = await http.get(path, headers={"Accept-Encoding": "gzip"})
            plain = await http.get(path, headers={"Accept-Encoding": "gzip;q=0"})
            assert zipped.headers["content-encoding"] == "gzip"
            assert "content-encoding" not in plain.headers
            assert zipped.content == plain.content
            assert zipped.headers["etag"] != plain.headers["etag"]
            for answer in (zipped, plain):
                assert answer.headers["vary"] == "Accept-Encoding"
                assert control in answer.headers["cache-control"]
            for etag, coding in ((zipped, "gzip"), (plain, "identity")):
                asked = {"If-None-Match": etag.headers["etag"], "Accept-Encoding": coding}
                assert (await http.get(path, headers=asked)).status_code == 304
        part = await http.get(
            "/_next/static/chunk.js", headers={"Range": "bytes=0-9", "Accept-Encoding": "gzip"}
        )
        assert (part.status_code, part.content) == (206, b"//xxxxxxxx")
        script.write_text("//" + "y" * 6000)
        changed = await http.get("/_next/static/chunk.js", headers={"Accept-Encoding": "gzip"})
        assert changed.content == script.read_bytes()
        async with http.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert gzip.decompress(raw) == (out / "index.html").read_bytes()


async def test_whom_to_tell_of_a_weakness(settings: Settings) -> None:
    path = "/.well-known/security.txt"
    async with (
        serving(settings) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as http,
    ):
        told = problem(await http.get(path), 404, "not_found")
        assert "PYK8S_SECURITY_CONTACT" in (told.fix or "")
    named = settings.model_copy(
        update={
            "security_contact": "mailto:security@example.org",
            "security_expires": datetime.now(UTC) + timedelta(days=1),
        }
    )
    async with (
        serving(named) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as http,
    ):
        answer = await http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith("Contact: mailto:security@example.org\nExpires: ")


async def test_an_answer_is_json_whatever_a_client_accepts(ann: Caller) -> None:
    answer = await ann.http.get("/api/v1/clusters", headers={"Accept": "application/xml"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"

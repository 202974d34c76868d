"""The command line asks for no password that would go to another machine without TLS."""

import httpx
import pytest

from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize("verb", ["login", "register"])
def test_nothing_is_sent_by_http_to_another_machine(cli: Cli, verb: str) -> None:
    url = "http://lab.example.org"
    done = cli("--url", url, verb, "ada", "--password-stdin", stdin="secret words\n")
    assert done.code != 0
    assert "has no TLS" in done.err
    assert "https://lab.example.org" in done.err
    assert "PYK8S_ALLOW_HTTP" in done.err
    assert cli.requests == []


def test_a_host_without_a_scheme_is_asked_with_tls(cli: Cli) -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody", request=request)

    cli.api = unreachable
    cli("--url", "lab.example.org", "login", "ada", "--password-stdin", stdin="secret words\n")
    assert {request.url.scheme for request in cli.requests} == {"https"}

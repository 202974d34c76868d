import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyk8s.client.config import Config, Login, load, normal_url, resolve, save
from pyk8s.client.errors import ConfigProblem

ADA = Login(username="ada", token="pyk8s_a", token_id="1")
CONFIG = Config(current="https://lab:8000", logins={"https://lab:8000": ADA})


def test_argument_over_environment_over_file_over_default() -> None:
    environ = {"PYK8S_URL": "https://env:1", "PYK8S_TOKEN": "from-env"}
    assert (
        resolve("https://arg:2", "from-arg", environ=environ, config=CONFIG).url == "https://arg:2"
    )
    assert resolve("https://arg:2", "from-arg", environ=environ, config=CONFIG).token == "from-arg"
    assert resolve(None, None, environ=environ, config=CONFIG).url == "https://env:1"
    assert resolve(None, None, environ=environ, config=CONFIG).token == "from-env"
    assert resolve(None, None, environ={}, config=CONFIG).url == "https://lab:8000"
    assert resolve(None, None, environ={}, config=CONFIG).token == "pyk8s_a"
    assert resolve(None, None, environ={}, config=Config()).url == "http://localhost:8000"


def test_a_remembered_token_never_goes_to_another_server() -> None:
    assert resolve("http://other:8000", None, environ={}, config=CONFIG).token is None
    assert resolve("https://lab:8001", None, environ={}, config=CONFIG).token is None


def test_a_secret_is_not_in_what_gets_printed() -> None:
    endpoint = resolve(None, None, environ={}, config=CONFIG)
    assert "pyk8s_a" not in repr(CONFIG) + repr(endpoint)


def test_a_secret_goes_to_another_machine_with_tls_only() -> None:
    url = "http://lab.example.org:8000"
    with pytest.raises(ConfigProblem, match="has no TLS") as refused:
        resolve(url, "pyk8s_a", environ={}, config=CONFIG)
    assert "pyk8s_a" not in str(refused.value)
    assert "https://lab.example.org:8000" in str(refused.value.fix)
    endpoint = resolve(url, None, environ={}, config=CONFIG)
    with pytest.raises(ConfigProblem, match="has no TLS"):
        endpoint.require_private()
    allowed = resolve(url, "pyk8s_a", environ={"PYK8S_ALLOW_HTTP": "yes"}, config=CONFIG)
    assert allowed.token == "pyk8s_a"
    assert resolve("http://127.0.0.1:1", "pyk8s_a", environ={}, config=CONFIG).token == "pyk8s_a"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("web.localhost", "http://web.localhost"),
        ("lab.example.org", "https://lab.example.org"),
        ("10.0.0.5:8000", "https://10.0.0.5:8000"),
        ("localhost.example.org", "https://localhost.example.org"),
        ("http://lab.example.org", "http://lab.example.org"),
        ("HTTPS://Lab.Example/", "https://lab.example"),
        ("https://lab.example/pyk8s/", "https://lab.example/pyk8s"),
        (" http://[::1]:8000 ", "http://[::1]:8000"),
    ],
)
def test_an_address_has_one_way_to_be_written(written: str, meant: str) -> None:
    assert normal_url(written) == meant


@pytest.mark.parametrize(
    "text", ["ftp://lab", "http://", "http://a:b@lab", "http://lab:x", "h?t=1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        normal_url(text)
    assert caught.value.fix


def test_the_file_is_private_and_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "pyk8s" / "config.toml"
    save(path, CONFIG)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat().st_ino
    save(path, CONFIG.without_login("https://lab:8000"))
    assert path.stat().st_ino != before
    assert load(path).logins == {}
    assert [p.name for p in path.parent.iterdir()] == ["config.toml"]


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)


@given(st.dictionaries(text, st.builds(Login, text, text, text), max_size=3), text)
def test_what_was_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, logins: dict[str, Login], current: str
) -> None:
    path = tmp_path_factory.mktemp("config") / "config.toml"
    save(path, Config(current=current or None, logins=logins))
    assert load(path) == Config(current=current or None, logins=logins)


@pytest.mark.parametrize("content", ["current = [", "[servers.x]\nusername = 'a'\n"])
def test_a_broken_file_is_named_with_the_way_out(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(ConfigProblem) as caught:
        load(path)
    assert str(path) in caught.value.detail
    assert "pyk8s login" in (caught.value.fix or "")


def test_a_missing_file_is_an_empty_one(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml") == Config()

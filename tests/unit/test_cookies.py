"""Cookies are read in one place, and in linear time."""

import ast
from pathlib import Path

import server
from server.transport.cookies import cookies_of


def test_our_cookie_is_found_among_others() -> None:
    def found(cookies: bytes) -> list[str]:
        return cookies_of([(b"cookie", cookies)], b"pyk8s_app")

    assert found(b"x=1; pyk8s_app=abc") == ["abc"]
    assert found(b"pyk8s_app=a; pyk8s_app=b") == ["a", "b"]
    assert found(b"xpyk8s_app=abc; __Host-pyk8s_app=abc") == []
    assert found(b'pyk8s_app="abc"') == ['"abc"'], "ours are not quoted"


def test_nothing_else_reads_cookies() -> None:
    """Starlette's own parser takes time in the square of what a stranger sends."""
    readers = [
        f"{path.name}: {ast.unparse(node)}"
        for path in Path(server.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _reads_cookies(node)
    ]
    assert readers == [], "use server/transport/cookies.py"


def _reads_cookies(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="cookies" | "cookie_parser"):
            return True
        case ast.ImportFrom(module=module, names=names):
            return module == "http.cookies" or any("cookie_parser" in name.name for name in names)
        case ast.Import(names=names):
            return any(name.name == "http.cookies" for name in names)
        case _:
            return False

"""How quick the command line is, and what it does not load."""

import subprocess
import sys

HEAVY = {"httpx", "websockets", "ruamel", "pydantic", "asyncpg", "starlette", "server"}


def loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_package_loads_nothing_until_a_name_is_used() -> None:
    assert not loaded("import pyk8s") & (HEAVY | {"typer", "rich"})
    assert "httpx" in loaded("from pyk8s import Lab")


def test_help_loads_neither_the_client_nor_the_server() -> None:
    code = "import pyk8s.cli.main as m\ntry: m.app(['--help'])\nexcept SystemExit: pass"
    assert not loaded(code) & (HEAVY - {"pydantic"})

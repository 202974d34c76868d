"""This folder and its virtual environment: what changed since, and how its packages are found.

Only the standard library: it runs before anything is installed.
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE_LEFT_OUT = {"node_modules", ".next", "out", "tests", "test-results", "next-env.d.ts"}


def fingerprint(paths: list[str], *, page: bool) -> str:
    """Sum up the content of files; of the page, only what its build reads."""
    digest = hashlib.sha256(sys.version.split()[0].encode() if not page else b"page")
    for name in paths:
        root = REPOSITORY / name
        files = [root] if root.is_file() else sorted(_files(root))
        for path in files:
            digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in PAGE_LEFT_OUT]
        found += [Path(folder) / name for name in names if name not in PAGE_LEFT_OUT]
    return [path for path in found if path.suffix != ".tsbuildinfo"]


def link() -> None:
    """Make the packages of this folder and the command `pyk8s` known to its virtual environment."""
    venv = Path(sys.prefix)
    library = next((venv / "lib").glob("python3*")) / "site-packages"
    _write(library / "pyk8s-lab.pth", f"{REPOSITORY}\n")
    command = venv / "bin" / "pyk8s"
    _write(
        command,
        f"#!{venv / 'bin' / 'python'}\nimport sys\n\nfrom pyk8s.cli.main import main\n\n"
        "sys.exit(main())\n",
    )
    command.chmod(0o755)


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/checkout.py", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("link")
    printing = verbs.add_parser("fingerprint")
    printing.add_argument("paths", nargs="+")
    printing.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    if arguments.verb == "link":
        link()
    else:
        sys.stdout.write(fingerprint(arguments.paths, page=arguments.page) + "\n")


if __name__ == "__main__":
    main()

"""The documentation says what the code does: settings, routes, codes, events, layers, links."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pyk8s.wire.cluster import Phase
from scripts.generate_docs import PARTS, REFERENCE, replaced
from server.api.protocol import CLOSE_CODES

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")])
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def page(name: str) -> str:
    return (DOCS / name).read_text()


@pytest.mark.parametrize("part", PARTS)
def test_generated_parts_are_up_to_date(part: str) -> None:
    name, write = PARTS[part]
    text = (REFERENCE / name).read_text()
    assert replaced(text, part, write()) == text, "run scripts/generate.sh"


def test_every_close_code_is_described() -> None:
    described = re.findall(r"^\| (\d{4}) \|", page("reference/protocol.md"), re.MULTILINE)
    assert sorted(map(int, described)) == sorted(CLOSE_CODES.values())


def test_every_phase_is_described() -> None:
    described = re.findall(r"^\| `(\w+)` \|", page("reference/lifecycle.md"), re.MULTILINE)
    assert sorted(described) == sorted(Phase)


def layers() -> list[set[str]]:
    contract = next(
        each
        for each in PROJECT["tool"]["importlinter"]["contracts"]
        if each.get("containers") == ["server"]
    )
    return [set(layer.split(" | ")) for layer in contract["layers"]]


def described_layers() -> Iterator[tuple[set[str], str]]:
    text = page("explanation/architecture.md").partition("<!-- checked: layers -->")[2]
    for line in re.findall(r"^\| (`.*)$", text, re.MULTILINE):
        names, _, may = (cell.strip() for cell in line.strip("| ").split(" | "))
        yield set(re.findall(r"`(\w+)`", names)), may


def test_the_table_of_packages_is_the_import_contract() -> None:
    wanted = layers()
    described = list(described_layers())
    assert sorted(name for names, _ in described for name in names) == sorted(
        name for layer in wanted for name in layer
    )
    for names, may in described:
        for name in names:
            at = next(i for i, layer in enumerate(wanted) if name in layer)
            below = {other for layer in wanted[at + 1 :] for other in layer}
            said = set(re.findall(r"`(\w+)`", may))
            if "the last row" in may:
                said |= wanted[-1]
            elif "the last two rows" in may:
                said |= wanted[-1] | wanted[-2]
            if may == "everything below":
                continue
            assert said == below, name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"https?://|mailto:|NNNN", target):
            continue
        name, _, anchor = target.partition("#")
        to = (path.parent / name).resolve() if name else path
        if to.suffix == ".png" and not to.exists():
            assert to.parent == DOCS / "images", f"{path.name}: {target}"
            continue
        assert to.exists(), f"{path.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", to.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, f"{path.name}: {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_programs_and_files_that_are_named_exist(path: Path) -> None:
    text = path.read_text()
    for script in re.findall(r"(?<![\w/])\./([\w-]+\.sh)", text):
        assert (REPOSITORY / script).is_file(), script
    for name in re.findall(
        r"`((?:server|pyk8s|frontend|migrations|tests|scripts|docs|bench)/[\w./-]+)`", text
    ):
        # The command line's page also names files of the user's own.
        if "NNNN" not in name and "..." not in name and path.name != "cli.md":
            assert (REPOSITORY / name).exists(), f"{path.name}: {name}"


def test_options_of_the_scripts_that_are_named_exist() -> None:
    for path in PAGES:
        for script, option in re.findall(r"\./([\w-]+\.sh) (--[\w-]+)", path.read_text()):
            assert option in (REPOSITORY / script).read_text(), f"{path.name}: {script} {option}"


def test_every_page_is_in_the_index() -> None:
    index = page("index.md")
    listed = {(DOCS / name).resolve() for name in re.findall(r"\]\(([^)#]+)\)", index)}
    decisions = {path for path in PAGES if path.parent.name == "adr"}
    missing = {p for p in PAGES if DOCS in p.parents} - decisions - listed - {DOCS / "index.md"}
    assert not missing


def test_decisions_have_all_sections_and_are_numbered() -> None:
    decisions = sorted(path for path in (DOCS / "adr").glob("*.md") if path.name != "template.md")
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    sections = re.findall(r"^## .*$", (DOCS / "adr" / "template.md").read_text(), re.MULTILINE)
    for path in decisions:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]}. "), path.name
        assert re.findall(r"^## .*$", text, re.MULTILINE) == sections, path.name
        assert re.search(r"^Status: (proposed|accepted on|superseded by)", text, re.MULTILINE)
        assert len(text.split()) < 500, f"{path.name} is longer than a page"


LOCKS = {"cli": [], "server": ["server", "local"], "dev": ["server", "local", "dev"],
         "bench": ["server", "local", "bench"]}  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_satisfy_the_project(lock: str) -> None:
    text = (REPOSITORY / "requirements" / f"{lock}.txt").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))
    pinned = {canonicalize_name(name): Version(version) for name, version in pins.items()}
    wanted = list(PROJECT["project"]["dependencies"])
    for extra in LOCKS[lock]:
        wanted += PROJECT["project"]["optional-dependencies"][extra]
    for line in wanted:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{line}: run scripts/lock.sh"
        assert requirement.specifier.contains(pinned[name]), f"{line}: run scripts/lock.sh"
    assert "--hash=" in text
    assert "://" not in text, "a lock names no index"

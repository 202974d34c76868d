"""The text of a kubeconfig: entries put in and taken out, every other byte as it was.

Lines are cut out and put in where the parser says that an entry stands; the result is read
again and compared with what it should mean. Where a file is written in a way that this
cannot do (JSON, anchors), it goes through a round trip of the YAML library instead.
"""

import copy
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pyk8s.client.errors import KubeconfigProblem
from pyk8s.client.yaml_blocks import block, scalar

SECTIONS = {"clusters": "cluster", "contexts": "context", "users": "user"}
"""Each list of a kubeconfig, and the key that its entries hold their value under."""

MAX_SENT_CHARS = 256 * 1024
"""Of a kubeconfig that a server sent. One has 6,000, and the parser takes 0.1 ms for each."""

MAX_SENT_DEPTH = 16
"""Of collections in it. A kubeconfig has five, and the parser's time grows by the square."""

CURRENT = "current-context"
EXTENSION = "pyk8s.io/cluster"
"""Marks a context as ours, and says of which cluster: names are used again, ids are not."""


@dataclass(frozen=True, slots=True)
class Entries:
    """A cluster and its user, to stand under the one name `context`."""

    context: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    cluster_id: str | None = None

    def entry(self, section: str) -> dict[str, Any]:
        """Give the entry for `section`."""
        return {"name": self.context, SECTIONS[section]: self._value(section)}

    def _value(self, section: str) -> dict[str, Any]:
        if section == "clusters":
            return dict(self.cluster)
        if section == "users":
            return dict(self.user)
        value: dict[str, Any] = {"cluster": self.context, "user": self.context}
        if self.cluster_id is not None:
            value["extensions"] = [{"name": EXTENSION, "extension": {"id": self.cluster_id}}]
        return value


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


class _UnusualError(Exception):
    """The text is not laid out in lines per entry."""


def read(text: str) -> dict[str, Any]:
    """Read a kubeconfig. An empty text is an empty one.

    Raises:
        KubeconfigProblem: it is not one.
    """
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except RecursionError as error:
        raise _unreadable("it is nested too deeply") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise _unreadable(f"{problem}{where}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _unreadable("it is not a mapping")
    for section in SECTIONS:
        items = document.get(section) or []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise _unreadable(f"{section} is not a list of entries")
    return document


def read_plain(text: str) -> dict[str, Any]:
    """Read what a server sent: bounded, and without what makes a short text mean a long one.

    Raises:
        KubeconfigProblem: it is no kubeconfig, is too long, or has an anchor or an alias.
    """
    if len(text) > MAX_SENT_CHARS:
        raise _unreadable(f"it has more than {MAX_SENT_CHARS} characters")
    depth = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if getattr(event, "anchor", None) is not None:  # an alias has it too
                raise _unreadable("it has an anchor or an alias")
            depth += isinstance(event, CollectionStartEvent)
            depth -= isinstance(event, CollectionEndEvent)
            if depth > MAX_SENT_DEPTH:
                raise _unreadable("it is nested too deeply")
    except YAMLError:
        pass  # `read` names the line
    return read(text)


def cluster_id(text: str, context: str) -> str | None:
    """Say which cluster's the context is, if `put` made it. Raises as `read`."""
    for item in read(text).get("contexts") or []:
        value = item.get("context")
        if item.get("name") != context or not isinstance(value, dict):
            continue
        for extension in value.get("extensions") or []:
            if extension.get("name") == EXTENSION:
                return str((extension.get("extension") or {}).get("id"))
    return None


def put(text: str, entries: Entries, *, switch: bool = False) -> str:
    """Add the entries, or replace those of the same name where they stand. Raises as `read`."""
    wanted = copy.deepcopy(read(text)) or {"apiVersion": "v1", "kind": "Config"}
    for section in SECTIONS:
        items = wanted.get(section) or []
        entry = entries.entry(section)
        kept = [entry if item.get("name") == entries.context else item for item in items]
        wanted[section] = kept if entry in kept else [*kept, entry]
    if switch:
        wanted[CURRENT] = entries.context
    return _write(text, wanted, entries.context)


def take(text: str, context: str) -> str:
    """Take the entries of that name out; the same text when there are none. Raises as `read`."""
    document = read(text)
    wanted = copy.deepcopy(document)
    for section in SECTIONS:
        if document.get(section):
            wanted[section] = [i for i in document[section] if i.get("name") != context]
    if wanted == document:
        return text
    if wanted.get(CURRENT) == context:
        wanted[CURRENT] = ""
    return _write(text, wanted, context)


def _write(text: str, wanted: dict[str, Any], context: str) -> str:
    try:
        edited = _Layout(text).become(wanted, context)
        if read(edited) == wanted:
            return edited
    except (_UnusualError, KubeconfigProblem):
        pass
    edited = _round_trip(text, wanted)
    if read(edited) != wanted:
        raise _unreadable("it is written in a way that cannot be changed safely")
    return edited


def _round_trip(text: str, wanted: dict[str, Any]) -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    document = yaml.load(text) or {}
    for key, value in wanted.items():
        if document.get(key) == value:
            continue
        if isinstance(value, list) and isinstance(document.get(key), list):
            before = list(document[key])
            document[key][:] = [before[before.index(v)] if v in before else v for v in value]
        else:
            document[key] = value
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


class _Layout:
    """Where the entries of a text stand."""

    def __init__(self, text: str) -> None:
        self._text = text if not text or text.endswith("\n") else text + "\n"
        self._lines = self._text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        root = YAML(pure=True).compose(text)
        if root is not None and (not isinstance(root, MappingNode) or root.flow_style):
            raise _UnusualError
        self._root: list[tuple[Node, Node]] = root.value if root is not None else []

    def become(self, wanted: dict[str, Any], context: str) -> str:
        """Give the text with the entries called `context`, and the current context, as wanted."""
        edits: list[_Edit] = []
        appended = ""
        for key, value in wanted.items():
            pair = next((pair for pair in self._root if pair[0].value == key), None)
            if pair is None:
                body = "".join(block(item, 0) for item in value) if key in SECTIONS else ""
                appended += f"{key}:\n{body}" if body else f"{key}: {scalar(value)}\n"
            elif key in SECTIONS:
                edits += self._section(pair[0], pair[1], value, context)
            elif key == CURRENT and pair[1].value != value:
                edits.append(_Edit(pair[1].start_mark.index, pair[1].end_mark.index, scalar(value)))
        end = len(self._text)
        edits.append(_Edit(end, end, appended))
        edited = self._text
        # From the end, so that positions stay true; of two at one place the first comes first.
        placed = sorted(enumerate(edits), key=lambda pair: (pair[1].start, pair[0]), reverse=True)
        for _, edit in placed:
            edited = edited[: edit.start] + edit.text + edited[edit.end :]
        return edited

    def _section(
        self, key: Node, node: Node, wanted: list[dict[str, Any]], context: str
    ) -> Iterator[_Edit]:
        entry = next((item for item in wanted if item.get("name") == context), None)
        if isinstance(node, ScalarNode) or not node.value:
            if entry is not None:
                after = self._starts[key.start_mark.line + 1]
                if node.end_mark.index > node.start_mark.index:
                    yield _Edit(self._after_colon(key), node.end_mark.index, "")
                yield _Edit(after, after, block(entry, key.start_mark.column))
            return
        if not isinstance(node, SequenceNode) or node.flow_style:
            raise _UnusualError
        column = node.start_mark.column
        written = block(entry, column) if entry is not None else ""
        places = [self._place(item, column) for item in node.value if _name(item) == context]
        for start, end in places:
            yield _Edit(start, end, written)
            written = ""
        if not places and entry is not None:
            _, end = self._place(node.value[-1], column)
            yield _Edit(end, end, written)
        if places and len(places) == len(node.value) and entry is None:
            colon = self._after_colon(key)
            yield _Edit(colon, colon, " []")

    def _after_colon(self, key: Node) -> int:
        return self._text.index(":", key.end_mark.index) + 1

    def _place(self, item: Node, column: int) -> tuple[int, int]:
        """Give where the lines of an entry begin and end, without comments around them."""
        first = item.start_mark.line
        while first and self._lines[first][column : column + 1] != "-":
            first -= 1
        after = min(self._last_line(item) + 1, len(self._lines))
        return self._starts[first], self._starts[after]

    def _last_line(self, node: Node) -> int:
        match node:
            case ScalarNode(style="|" | ">"):
                return int(node.end_mark.line) - 1
            case ScalarNode(value="", style=None | ""):
                return self._line_before(node.start_mark.index)
            case MappingNode(flow_style=False):
                return max(self._last_line(part) for pair in node.value for part in pair)
            case SequenceNode(flow_style=False):
                return max(self._last_line(part) for part in node.value)
            case _:
                return int(node.end_mark.line)

    def _line_before(self, index: int) -> int:
        """Give the line of a `-` or `:` with nothing after it: the mark is that of what comes."""
        lines = self._text[:index].splitlines()
        return max(number for number, line in enumerate(lines) if _says(line))


def _says(line: str) -> bool:
    said = line.strip()
    return bool(said) and not said.startswith("#")


def _name(item: Node) -> str | None:
    pairs = item.value if isinstance(item, MappingNode) else []
    return next((value.value for key, value in pairs if key.value == "name"), None)


def _unreadable(reason: str) -> KubeconfigProblem:
    return KubeconfigProblem(
        f"The kubeconfig cannot be read: {reason}.",
        fix="Mend it (kubectl config view shows it too), or set KUBECONFIG to another file.",
    )

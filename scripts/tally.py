"""Sums up a run of test.sh: what was left out and why, what failed, and the closing line."""

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree  # the files are our own test runners'


def read_report(path: Path, counts: Counter[str], skipped: Counter[str]) -> list[str]:
    """Add the tests of one JUnit file; give the names of those that failed."""
    failed = []
    for case in ElementTree.parse(path).iter("testcase"):  # noqa: S314 - written a minute ago
        outcome = "passed"
        for child in case:
            if child.tag in {"failure", "error"}:
                outcome = "failed"
            elif child.tag == "skipped":
                outcome = "skipped"
                reason = re.sub(r"^.*?: ", "", child.get("message") or "no reason given")
                skipped[f"{case.get('classname', '').rpartition('.')[2]}: {reason}"] += 1
        counts[outcome] += 1
        if outcome == "failed":
            failed.append(f"{case.get('classname', '')}::{case.get('name', '')}")
    return failed


def main(folder: Path) -> int:
    """Print the summary; 1 when something failed."""
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    failed: list[str] = []
    for line in (folder / "results").read_text().splitlines():
        status, name, what = line.split("\t", 2)
        report = folder / f"{name}.xml"
        if status == "skip":
            counts["skipped"] += 1
            skipped[f"{name}: {what}"] += 1
            continue
        before, tests = counts["failed"], []
        if report.exists():
            tests = read_report(report, counts, skipped)
        else:
            counts["passed" if status == "0" else "failed"] += 1
        if status != "0":
            failed.append(f"{name}: {folder / name}.log")
            failed += [f"  {test}" for test in tests]
            if counts["failed"] == before:  # it broke outside of any test
                counts["failed"] += 1
    lines = [""]
    if skipped:
        lines.append("Left out:")
        lines += [f"  {what}{f'  ({n} times)' if n > 1 else ''}" for what, n in skipped.items()]
    if failed:
        lines.append("Failed, with all of the output:")
        lines += [f"  {line}" for line in failed]
    lines.append(
        f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

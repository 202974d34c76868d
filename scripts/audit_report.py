"""Read the JSON report of an auditor: `clean`, `vulnerable`, or `unknown` when it is no report."""

import json
import sys
from pathlib import Path
from typing import Any


def verdict(text: str) -> str:
    """Judge a report of pip-audit or of `npm audit`. Whatever is not complete is `unknown`."""
    try:
        report: Any = json.loads(text)
    except ValueError:
        return "unknown"
    if not isinstance(report, dict):
        return "unknown"
    if isinstance(packages := report.get("dependencies"), list) and packages:
        if any("skip_reason" in package for package in packages):
            return "unknown"
        return "vulnerable" if any(package["vulns"] for package in packages) else "clean"
    counts = report.get("metadata", {}).get("vulnerabilities")
    if "error" in report or not isinstance(counts, dict) or "total" not in counts:
        return "unknown"
    return "vulnerable" if counts["total"] else "clean"


def main(argv: list[str]) -> int:
    """Print the verdict on a file, which may be missing."""
    path = Path(argv[0])
    sys.stdout.write(verdict(path.read_text() if path.exists() else "") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Kubernetes' own [Conformance] specs give the same verdicts through the proxy as direct.

Only specs that pull no image: the others need registries, and are about nodes rather than about
the way to the API server. `conformance/specs.txt` names them by regular expressions.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

from tests.clients.lab import ENDPOINTS, Lab

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(4 * 3600)]

FOLDER: Final = Path(__file__).parent / "conformance"
SPECS: Final = [line for line in (FOLDER / "specs.txt").read_text().splitlines() if line]
SKIPPED: Final = "compacted|Disruptive|Webhook"
"""The first waits for five minutes until etcd is compacted; the others need images or nodes."""

FEWEST: Final = 90
"""A focus that matches nothing would pass: 100 specs were chosen of Kubernetes 1.36's 446."""

RUN_SECONDS: Final = 3600


def run(binary: str, kubeconfig: Path, report: Path) -> None:
    """Run the specs. Some fail, which the report says."""
    command = [
        binary, "-kubeconfig", str(kubeconfig), "-provider", "skeleton",
        "-kubectl-path", str(shutil.which("kubectl")), "-allowed-not-ready-nodes", "-1",
        "--ginkgo.no-color", f"--ginkgo.focus=({'|'.join(SPECS)}).*\\[Conformance\\]",
        f"--ginkgo.skip={SKIPPED}", f"--ginkgo.timeout={RUN_SECONDS}s",
        f"--ginkgo.junit-report={report}",
    ]  # fmt: skip
    with report.with_suffix(".log").open("wb") as log:
        subprocess.run(
            command,
            cwd=report.parent,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=RUN_SECONDS + 300,
            check=False,
        )


def verdicts(report: Path) -> dict[str, str]:
    """Return what came of each spec that ran."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if case.get("status") != "skipped" and "[Conformance]" in case.get("name", ""):
            found[case.get("name", "")] = case.get("status", "")
    return found


def test_the_proxy_gives_the_verdicts_of_the_direct_way(lab: Lab, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("the specs are compiled with Go")
    version = f"v{lab.kubernetes_version.removeprefix('v')}"
    binary = subprocess.run(
        [FOLDER / "build.sh", version], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    reports = {endpoint: tmp_path / f"{endpoint}.xml" for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:  # not at once: some count or name what all namespaces share
        run(binary, lab.kubeconfigs[endpoint], reports[endpoint])
    by_proxy, direct = (verdicts(reports[each]) for each in ENDPOINTS)
    assert len(direct) >= FEWEST
    assert by_proxy == direct

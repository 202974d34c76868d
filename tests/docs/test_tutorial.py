"""The tutorial does what it says."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyk8s import Lab
from tests.integration.conftest import LabServer

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\s*\$ (?:.*\$\()?(pyk8s [a-z ]+)", PAGE, re.MULTILINE)
REPOSITORY = Path(__file__).parents[2]
KUBECTL = '#!/bin/sh\necho "kubectl $*"\ncat\n'


def test_the_first_script_has_twenty_lines() -> None:
    assert len([line for line in SCRIPTS[0].splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("index", range(len(SCRIPTS)))
async def test_the_scripts_make_use_and_delete_a_cluster(
    index: int, lab_server: LabServer, tmp_path: Path
) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    config = tmp_path / "config.toml"
    async with Lab(lab_server.base_url, environ={}, config_path=config) as lab:
        await lab.register("ada", "correct horse battery")
        token = await lab.tokens.create("tutorial", ["clusters:read", "clusters:write", "access"])
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SCRIPTS[index],
            env={
                "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(REPOSITORY),
                "HOME": str(tmp_path),
                "PYK8S_URL": lab_server.base_url,
                "PYK8S_TOKEN": token.token,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            told = (await process.communicate())[0].decode()
        assert process.returncode == 0, told
        assert "current-context: pyk8s-" in told, "the kubeconfig arrived"
        [cluster] = await lab.clusters.list(include_deleted=True)
        await cluster.wait("deleted", timeout_seconds=30)
        if index == 0:
            assert "kubectl --kubeconfig /dev/stdin get nodes" in told
            seqs = [int(line.split()[0]) for line in told.splitlines() if re.match(r"\d+ \w", line)]
            assert seqs == list(range(1, len(seqs) + 1))


def test_every_command_exists() -> None:
    assert len(COMMANDS) >= 5
    for command in COMMANDS:
        words = command.split()[1:]
        name = words[:2] if words[0] in {"kubeconfig", "tokens"} else words[:1]
        done = subprocess.run(
            [sys.executable, "-m", "pyk8s", *name, "--help"],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

"""What kind is asked for, and what is put into the node of a tuned cluster."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from ruamel.yaml import YAML

from server.drivers.base import AttemptSpec
from server.drivers.kind import TUNED
from server.drivers.kind_config import config_of, network_of


def spec(template: str, workers: int = 0) -> AttemptSpec:
    return AttemptSpec(
        attempt_id=UUID(int=1),
        cluster_id=UUID(int=2),
        directory=Path("/nowhere"),
        kubernetes_version="v1.36.4",
        control_planes=1,
        workers=workers,
        template=template,
    )


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize(
    ("template", "workers"), [("standard", 0), ("multi-node", 2), ("default", 1)]
)
def test_only_one_node_of_the_default_template_is_tuned(template: str, workers: int) -> None:
    config = read(config_of(spec(template, workers), "image"))
    assert config["networking"] == {"apiServerAddress": "127.0.0.1"}
    assert "kubeadmConfigPatches" not in config
    assert len(config["nodes"]) == 1 + workers


def test_each_version_of_kubeadm_gets_its_own_patch() -> None:
    config = read(config_of(spec("default"), "image"))
    assert config["networking"]["disableDefaultCNI"] is True
    old, new, kubelet = (read(each) for each in config["kubeadmConfigPatches"])
    assert kubelet["kind"] == "KubeletConfiguration"
    arguments = old["controllerManager"]["extraArgs"]
    assert arguments["leader-elect"] == "false"
    listed = {each["name"]: each["value"] for each in new["controllerManager"]["extraArgs"]}
    assert listed == arguments
    assert (old["apiVersion"][-7:], new["apiVersion"][-7:]) == ("v1beta3", "v1beta4")


def test_the_network_takes_its_mtu_from_the_node() -> None:
    assert json.loads(network_of("1400"))["plugins"][0]["mtu"] == 1400
    assert network_of("MTU").count("MTU") == 1


def test_the_network_is_put_in_while_kind_runs_and_kind_decides_how_it_ends(
    tmp_path: Path,
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!/bin/sh
[ -e {tmp_path}/node ] || {{ echo no such container >&2; exit 1; }}
echo "$@" > {tmp_path}/asked
cat > {tmp_path}/put
"""
    )
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    network = tmp_path / "network"
    network.write_text(network_of("MTU"))
    kind = f"sleep 0.3; touch {tmp_path}/node; sleep 1; echo made >&2; exit 7"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(TUNED), "a-node", str(network), "sh", "-c", kind],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "made\n")
    assert (tmp_path / "put").read_text() == network_of("MTU")
    assert "a-node" in (tmp_path / "asked").read_text()

"""What kind is asked for, and what is put into the node of a tuned cluster."""

import json
import os
import re
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
from server.drivers.kind_config import config_of
from server.drivers.kind_node import network_of, node_script


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
    patches = [read(each) for each in config["kubeadmConfigPatches"]]
    old, old_node, new, new_node, kubelet = patches
    assert kubelet["kind"] == "KubeletConfiguration"
    arguments = old["controllerManager"]["extraArgs"]
    assert arguments["leader-elect"] == "false"
    listed = {each["name"]: each["value"] for each in new["controllerManager"]["extraArgs"]}
    assert listed == arguments
    assert (old["apiVersion"][-7:], new["apiVersion"][-7:]) == ("v1beta3", "v1beta4")
    assert old_node["apiVersion"] == old["apiVersion"]
    assert new_node["apiVersion"] == new["apiVersion"]


def test_the_network_takes_its_mtu_from_the_node() -> None:
    assert json.loads(network_of("1400"))["plugins"][0]["mtu"] == 1400


@pytest.mark.parametrize(
    ("version", "patched"),
    [
        ("v1.36.4", {"kube-apiserver", "kube-scheduler", "etcd"}),
        ("v1.37.0", {"kube-apiserver", "kube-scheduler", "etcd"}),
        ("v1.31.2", {"kube-apiserver"}),
        ("custom", {"kube-apiserver"}),
    ],
)
def test_the_script_writes_the_network_and_the_patches_that_fit(
    version: str, patched: set[str], tmp_path: Path
) -> None:
    mtu = tmp_path / "sys" / "class" / "net" / "eth0"
    mtu.mkdir(parents=True)
    (mtu / "mtu").write_text("1400\n")
    (tmp_path / "kind").mkdir()
    script = re.sub(r"(?<![\w.])/(sys|etc|kind)/", rf"{tmp_path}/\1/", node_script(version))
    subprocess.run(["sh", "-s"], input=script, text=True, check=True, timeout=10)
    network = tmp_path / "etc" / "cni" / "net.d" / "10-pyk8s.conflist"
    assert json.loads(network.read_text())["plugins"][0]["mtu"] == 1400
    found = {path.name: json.loads(path.read_text()) for path in (tmp_path / "kind").iterdir()}
    assert {name.removesuffix("+strategic.json") for name in found} == patched
    for name, patch in found.items():
        [container] = patch["spec"]["containers"]
        assert container["name"] == name.removesuffix("+strategic.json")
        assert container["readinessProbe"] == {"periodSeconds": 10}


def test_the_script_is_run_while_kind_runs_and_kind_decides_how_it_ends(
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
    script = tmp_path / "script"
    script.write_text(node_script("v1.36.4"))
    kind = f"sleep 0.3; touch {tmp_path}/node; sleep 1; echo made >&2; exit 7"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(TUNED), "a-node", str(script), "sh", "-c", kind],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "made\n")
    assert (tmp_path / "put").read_text() == node_script("v1.36.4")
    assert "a-node" in (tmp_path / "asked").read_text()

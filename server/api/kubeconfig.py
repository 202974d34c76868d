"""The kubeconfig as people get it: its entries carry the name that the user chose."""

import io
from typing import Any

from ruamel.yaml import YAML


def named_for(kubeconfig: str, name: str) -> str:
    """Rename the one cluster, user and context of a kubeconfig to `pyk8s-<name>`."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    config: dict[str, Any] = yaml.load(kubeconfig)
    entry = f"pyk8s-{name}"
    for kind in ("clusters", "users", "contexts"):
        for item in config[kind]:
            item["name"] = entry
    for context in config["contexts"]:
        context["context"] |= {"cluster": entry, "user": entry}
    config["current-context"] = entry
    out = io.StringIO()
    yaml.dump(config, out)
    return out.getvalue()

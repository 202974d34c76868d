"""The kubeconfig as people get it: its entries carry the name that the user chose."""

import base64
import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML


def named_for(kubeconfig: str, context: str) -> str:
    """Rename the one cluster, user and context of a kubeconfig to `context`."""
    config = _loaded(kubeconfig)
    return _written(context, config["clusters"][0]["cluster"], config["users"][0]["user"])


def for_certificate(kubeconfig: str, context: str, pem: str) -> str:
    """Give the administrator's kubeconfig with the person's certificate and key in its place."""
    end = "-----END CERTIFICATE-----\n"
    certificate, _, key = pem.rpartition(end)
    user = {
        "client-certificate-data": base64.b64encode((certificate + end).encode()).decode(),
        "client-key-data": base64.b64encode(key.encode()).decode(),
    }
    return _written(context, _loaded(kubeconfig)["clusters"][0]["cluster"], user)


def for_proxy(context: str, cluster: Mapping[str, str], token: str) -> str:
    """Give a kubeconfig for the proxy: the address and who vouches for it, and the token."""
    return _written(context, cluster, {"token": token})


def _loaded(kubeconfig: str) -> dict[str, Any]:
    config: dict[str, Any] = YAML(typ="safe", pure=True).load(kubeconfig)
    return config


def _written(entry: str, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": entry, "cluster": dict(cluster)}],
        "users": [{"name": entry, "user": dict(user)}],
        "contexts": [{"name": entry, "context": {"cluster": entry, "user": entry}}],
        "current-context": entry,
    }
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    out = io.StringIO()
    yaml.dump(config, out)
    return out.getvalue()

"""Kubeconfig files that need no other file."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from devcluster.certificates import Pair


def write_kubeconfig(
    path: Path,
    *,
    server: str,
    ca_file: Path,
    token: str | None = None,
    certificate: Pair | None = None,
    namespace: str = "default",
) -> Path:
    """Write one (JSON, which is YAML), mode 0600, for a token, a certificate or neither; returns ``path``."""
    user: dict[str, str] = {}
    if token is not None:
        user["token"] = token
    if certificate is not None:
        user |= {"client-certificate-data": _base64(certificate.public), "client-key-data": _base64(certificate.key)}
    cluster = {"server": server, "certificate-authority-data": _base64(ca_file)}
    name = "devcluster"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))
    return path


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()

"""Access from a kubeconfig file, as kubectl has it. Apart, because only people's machines need YAML for it."""

from __future__ import annotations

import atexit
import base64
import binascii
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fairlead_kube.access import KubeAccess
from fairlead_kube.errors import NoAccess


def read_kubeconfig(path: Path, context: str | None = None) -> KubeAccess:
    """The access of ``context``, or of the current one. Raises :class:`NoAccess` and says what is wrong.

    Plugins (``exec``, ``auth-provider``) are not run: use a token or a client certificate.
    """
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NoAccess(f"the kubeconfig {path} cannot be read: {error}") from error
    if not isinstance(config, Mapping):
        raise NoAccess(f"the kubeconfig {path} is empty or no mapping")
    wanted = context or config.get("current-context")
    if not wanted:
        raise NoAccess(f"the kubeconfig {path} has no current-context: name one")
    chosen = _named(config, "contexts", wanted, path)
    cluster = _named(config, "clusters", chosen.get("cluster"), path)
    user = _named(config, "users", chosen.get("user"), path)
    if not cluster.get("server"):
        raise NoAccess(f"the kubeconfig {path} gives cluster {chosen.get('cluster')!r} no server")
    for plugin in ("exec", "auth-provider"):
        if plugin in user:
            raise NoAccess(
                f"the kubeconfig {path} logs in with a plugin ({plugin}): use a token or a client certificate"
            )
    folder = path.parent
    return KubeAccess(
        str(cluster["server"]).rstrip("/"),
        _file(cluster, "certificate-authority", folder),
        user.get("token"),
        folder / user["tokenFile"] if "tokenFile" in user else None,
        _file(user, "client-certificate", folder),
        _file(user, "client-key", folder),
        chosen.get("namespace"),
    )


def _named(config: Mapping[str, Any], section: str, name: object, path: Path) -> Mapping[str, Any]:
    """What stands under ``name``; an entry may be empty."""
    for item in config.get(section) or ():
        if isinstance(item, Mapping) and item.get("name") == name:
            content = item.get(section.removesuffix("s"))
            return content if isinstance(content, Mapping) else {}
    raise NoAccess(f"the kubeconfig {path} names {name!r}, but has no such entry in {section}")


def _file(section: Mapping[str, Any], name: str, folder: Path) -> Path | None:
    """A named file, or the inlined data in a private file of its own: the TLS library reads keys only from files."""
    if name in section:
        return folder / str(section[name])
    data = section.get(f"{name}-data")
    if data is None:
        return None
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoAccess(f"{name}-data of the kubeconfig is not base64: {error}") from error
    with tempfile.NamedTemporaryFile("wb", prefix="fairlead-", suffix=".pem", delete=False) as file:
        file.write(decoded)
    # Removed at the end and not after use: Kopf reads it again whenever it connects.
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return Path(file.name)

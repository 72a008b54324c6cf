"""Where the API server is and how to prove who one is."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairlead_kube.errors import NoAccess

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class KubeAccess:
    """Address and credentials of one API server."""

    server: str
    """URL without a slash at its end."""
    ca_file: Path | None = None
    """``None``: the system's authorities."""
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    """Read for every connection attempt: the kubelet renews it every hour."""
    client_certificate: Path | None = None
    client_key: Path | None = None
    namespace: str | None = None
    """Where this process itself lives, if known."""

    def headers(self) -> dict[str, str]:
        """The ``Authorization`` header, if there is a token."""
        token = self.token
        if self.token_file is not None:
            try:
                token = self.token_file.read_text().strip()
            except OSError as error:
                raise NoAccess(f"the token {self.token_file} cannot be read: {error.strerror}") from error
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def ssl_context(self) -> ssl.SSLContext | bool:
        """For aiohttp; ``True`` stands for the default checks. Raises :class:`NoAccess`."""
        if not self.server.startswith("https:"):
            return True
        try:
            context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
            if self.client_certificate is not None:
                context.load_cert_chain(self.client_certificate, self.client_key)
        except (OSError, ssl.SSLError) as error:
            raise NoAccess(f"a certificate for {self.server} cannot be used: {error}") from error
        return context


def in_cluster(environment: Mapping[str, str], files: Path = SERVICE_ACCOUNT) -> KubeAccess:
    """What a pod is given, or what these variables name instead: ``FAIRLEAD_KUBE_SERVER``, ``FAIRLEAD_KUBE_CA_FILE``,
    ``FAIRLEAD_KUBE_TOKEN_FILE``. Raises :class:`NoAccess`.
    """
    server = environment.get("FAIRLEAD_KUBE_SERVER")
    if server is None:
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
        if host is None:
            raise NoAccess(
                "this is no pod: KUBERNETES_SERVICE_HOST is not set; "
                "outside a cluster set FAIRLEAD_KUBE_SERVER, FAIRLEAD_KUBE_CA_FILE and FAIRLEAD_KUBE_TOKEN_FILE"
            )
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    ca_file = Path(environment.get("FAIRLEAD_KUBE_CA_FILE") or files / "ca.crt")
    token_file = Path(environment.get("FAIRLEAD_KUBE_TOKEN_FILE") or files / "token")
    if not token_file.is_file():
        raise NoAccess(f"there is no token {token_file}: mount a ServiceAccount token there")
    if server.startswith("https:") and not ca_file.is_file():
        raise NoAccess(f"there is no certificate {ca_file} to check the API server with")
    return KubeAccess(
        server.rstrip("/"),
        ca_file if ca_file.is_file() else None,
        token_file=token_file,
        namespace=_first_line(files / "namespace"),
    )


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None

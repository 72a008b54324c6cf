"""The keys and certificates of one control plane, made by the ``openssl`` command.

A library would be a dependency for this alone, while the command is on nearly every machine. The profile is that of kubeadm.
``make_certificates`` makes what a control plane without nodes needs; ``node.certificates`` adds the rest with ``sign``.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DAYS = "3650"
_API_SERVER_NAMES = (
    *("DNS:localhost", "IP:127.0.0.1", "IP:10.96.0.1", "DNS:kubernetes", "DNS:kubernetes.default"),
    *("DNS:kubernetes.default.svc", "DNS:kubernetes.default.svc.cluster.local"),
)
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


class CertificatesFailed(Exception):
    """``openssl`` is missing, too old, or refused; the message says which."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (or, for service accounts, a bare public key) and its private key."""

    public: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """All that a control plane without nodes needs."""

    authority: Pair
    api_server: Pair
    service_accounts: Pair
    admin: Pair
    controller_manager: Pair


def make_certificates(folder: Path, more_names: Sequence[str] = ()) -> Certificates:
    """Write all files into a new folder of mode 0700; an existing complete one is used as it is. Takes about 50 ms.

    ``more_names`` are further names of the API server, like ``IP:10.0.0.1``.

    Raises ``CertificatesFailed``.
    """
    certificates = Certificates(
        authority=Pair(folder / "ca.crt", folder / "ca.key"),
        api_server=Pair(folder / "apiserver.crt", folder / "apiserver.key"),
        service_accounts=Pair(folder / "sa.pub", folder / "sa.key"),
        admin=Pair(folder / "admin.crt", folder / "admin.key"),
        controller_manager=Pair(folder / "controller-manager.crt", folder / "controller-manager.key"),
    )
    done = folder / "complete"
    if done.exists():
        return certificates
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_authority(certificates.authority)
    authority = certificates.authority
    names = ",".join([*_API_SERVER_NAMES, *more_names])
    sign(certificates.api_server, authority, "/CN=kube-apiserver", "serverAuth", f"subjectAltName={names}")
    sign(certificates.admin, authority, "/O=system:masters/CN=admin", "clientAuth")
    sign(certificates.controller_manager, authority, "/CN=system:kube-controller-manager", "clientAuth")
    service_accounts = certificates.service_accounts
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", service_accounts.key)
    _openssl("ec", "-in", service_accounts.key, "-pubout", "-out", service_accounts.public)
    done.touch()
    return certificates


def _make_authority(pair: Pair) -> None:
    constraints = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl(
        *("req", "-x509", "-config", "/dev/null", "-subj", "/CN=devcluster", "-days", _DAYS, *constraints),
        *(*_NEW_KEY, "-keyout", pair.key, "-out", pair.public),
    )


def sign(pair: Pair, authority: Pair, subject: str, usage: str, *more: str) -> None:
    """Make a key and a certificate for ``serverAuth`` or ``clientAuth``, with ``more`` extensions.

    Raises ``CertificatesFailed``.
    """
    extensions = (
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        f"extendedKeyUsage={usage}",
        *more,
    )
    _openssl(
        *("req", "-x509", "-config", "/dev/null", "-subj", subject, "-days", _DAYS),
        *(argument for extension in extensions for argument in ("-addext", extension)),
        *("-CA", authority.public, "-CAkey", authority.key, *_NEW_KEY, "-keyout", pair.key, "-out", pair.public),
    )


def _openssl(*arguments: str | Path) -> None:
    command = shutil.which("openssl")
    if command is None:
        raise CertificatesFailed("There is no openssl on the PATH. Install the package openssl (version 3 or newer).")
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CertificatesFailed(
            f"openssl {arguments[0]} failed (version 3 or newer is needed); it said:\n{done.stderr}"
        )

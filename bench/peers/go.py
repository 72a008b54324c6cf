"""A reverse proxy of Go's standard library: what a gateway in Go could reach at best."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.peers.cache import run
from bench.peers.recipe import Launch, Recipe, Site

_SOURCE = Path(__file__).with_name("go_proxy")
_PROGRAM = "go-proxy"


def _version() -> str:
    """Changes with the source, so that an older build is not taken for it."""
    text = b"\0".join((_SOURCE / name).read_bytes() for name in ("go.mod", "main.go"))
    return hashlib.sha256(text).hexdigest()[:12]


def _install(folder: Path) -> None:
    variables = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    run(
        ["go", "build", "-trimpath", "-buildvcs=false", "-o", str(folder / _PROGRAM), "."],
        cwd=_SOURCE,
        environment=variables,
    )


def _launch(site: Site) -> Launch:
    return Launch(
        command=[str(site.installed / _PROGRAM), "-listen", f"127.0.0.1:{site.port}", "-upstream", site.upstream],
        environment={"GOMAXPROCS": "1"},
        ready_path="/ready",
    )


GO = Recipe("go", _version(), "Go 1.22 or newer", _install, _launch, falls_back=False)

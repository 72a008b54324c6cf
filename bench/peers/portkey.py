"""Portkey's open gateway: Node, Hono. Its targets come with each request, in a header."""

from __future__ import annotations

import json
from pathlib import Path

from bench.peers.cache import run
from bench.peers.recipe import Launch, Recipe, Site

_VERSION = "1.15.2"
_PACKAGE = {
    "name": "portkey-peer",
    "version": "0.0.0",
    "private": True,
    "dependencies": {"@portkey-ai/gateway": _VERSION},
    "overrides": {"@hono/node-server": "1.13.8"},  # with a newer one every stream is answered with 500
}


def _install(folder: Path) -> None:
    (folder / "package.json").write_text(json.dumps(_PACKAGE))
    flags = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run(["npm", "install", *flags], cwd=folder)


def _launch(site: Site) -> Launch:
    server = site.installed / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    targets = [_target(site.upstream), _target(site.fallback or site.upstream)]
    mode = "loadbalance" if site.fallback is None else "fallback"
    return Launch(
        command=["node", str(server), f"--port={site.port}", "--headless"],
        environment={"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"},
        headers={"x-portkey-config": json.dumps({"strategy": {"mode": mode}, "targets": targets})},
    )


def _target(url: str) -> dict[str, str]:
    return {"provider": "openai", "api_key": "sk-upstream", "custom_host": url}


PORTKEY = Recipe("portkey", _VERSION, "Node 20 and its package registry", _install, _launch)

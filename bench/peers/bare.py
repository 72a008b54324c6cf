"""Floors in Python: what is left when a gateway does nothing but parse, pass on and give back."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from bench.peers.cache import python_environment
from bench.peers.recipe import Launch, Recipe, Site

_HTTPTOOLS = "0.9.0"
_HTTPTOOLS_PROXY = Path(__file__).with_name("httptools_proxy.py")


def _install_nothing(folder: Path) -> None:
    """Runs in the environment of the project."""


def _launch_aiohttp(site: Site) -> Launch:
    url = f"{site.upstream}/chat/completions"
    return Launch(command=[sys.executable, "-m", "bench.proxy.bare", url], announces_port=True)


def _install_httptools(folder: Path) -> None:
    python_environment(folder, f"httptools=={_HTTPTOOLS}", f"uvloop=={version('uvloop')}")


def _launch_httptools(site: Site) -> Launch:
    url = f"{site.upstream}/chat/completions"
    command = [str(site.installed / "bin" / "python"), "-P", str(_HTTPTOOLS_PROXY), url]
    return Launch(command=command, announces_port=True)


BARE_AIOHTTP = Recipe(
    "bare-aiohttp", version("aiohttp"), "nothing", _install_nothing, _launch_aiohttp, falls_back=False
)
BARE_HTTPTOOLS = Recipe(
    "bare-httptools", _HTTPTOOLS, "the Python package index", _install_httptools, _launch_httptools, falls_back=False
)

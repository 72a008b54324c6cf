"""What a peer is made of: how it is installed, and how it is started for one upstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class PeerUnavailable(Exception):
    """A peer cannot be installed or does not start; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a peer is about to run."""

    installed: Path
    """Its folder in the cache; not written to."""
    scratch: Path
    """An empty folder for its configuration."""
    port: int
    """Free a moment ago, on 127.0.0.1."""
    upstream: str
    """Base URL of an OpenAI-compatible upstream, up to and with ``/v1``."""
    fallback: str | None
    """Another such URL, to turn to when ``upstream`` fails. ``None``: two equal targets at ``upstream``."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and how to talk to it."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of what is inherited."""
    path: str = "/v1/chat/completions"
    ready_path: str = "/"
    """Any answer below 500 to a GET of it means that the peer serves."""
    model: str = "gpt-4o-mini"
    headers: Mapping[str, str] = field(default_factory=dict)
    announces_port: bool = False
    """It chooses its port itself, and writes it as a line of its own to standard output."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One peer."""

    name: str
    version: str
    """Exact; part of the name of the folder in the cache."""
    needs: str
    """What must be on the machine to install it."""
    install: Callable[[Path], None]
    """Fills an empty folder that stays where it is."""
    launch: Callable[[Site], Launch]
    falls_back: bool = True
    """Whether ``Site.fallback`` is of use to it."""

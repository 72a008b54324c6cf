"""How much each component says of itself: set at the start, changed while it runs, back again after a while if wanted.

Components are loggers below ``fairlead``; a level given to one holds for those below it that have none of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

LEVELS = ("debug", "info", "warning", "error", "critical")

COMPONENTS = (
    "fairlead",
    "fairlead.cache",
    "fairlead.classify",
    "fairlead.compiler",
    "fairlead.config",
    "fairlead.dispatch",
    "fairlead.health",
    "fairlead.http",
    "fairlead.kube",
    "fairlead.record",
    "fairlead.serve",
    "fairlead.server",
    "fairlead.sharing",
    "fairlead.state",
    "fairlead.store",
    "fairlead.trace",
)
"""Those that always exist; others appear with what they belong to."""

_MAX_SECONDS = 7 * 86_400

_SETTING = "info,fairlead.dispatch=debug"
_BODY = '{"fairlead.dispatch": "debug"}, or {"fairlead.dispatch": {"level": "debug", "seconds": 600}}, or null to undo'


class BadLevels(ValueError):
    """Levels that cannot be set; says what is allowed."""


class Expiring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A level for a while."""

    level: str | None
    seconds: float | None = None


class ComponentLevel(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One component, as ``GET /-/log-levels`` shows it."""

    level: str
    set: bool = False
    """Whether it has a level of its own, or that of the component above it."""
    expires_in_seconds: float | None = None


class Timer(Protocol):
    """What ``call_later`` of an event loop gives back."""

    def cancel(self) -> None:
        """Call nobody."""
        ...

    def when(self) -> float:
        """On the loop's clock."""
        ...


_REQUEST = msgspec.json.Decoder(dict[str, str | Expiring | None])


def parse_levels(text: str) -> dict[str, str]:
    """``info,fairlead.dispatch=debug`` as levels by component; the bare one is that of everything, named ``""``.

    Raises :class:`BadLevels`.
    """
    levels: dict[str, str] = {}
    for part in (each.strip() for each in text.split(",")):
        component, equals, level = part.rpartition("=")
        name = component.strip()
        if equals and not _is_component(name):
            raise BadLevels(f"{name!r} is no component; {_allowed()}")
        levels[name] = _level(level.strip())
    return levels


def apply_levels(levels: Mapping[str, str]) -> None:
    """Set the loggers."""
    for name, level in levels.items():
        logging.getLogger(name or None).setLevel(level.upper())


class LogLevels:
    """The levels of this process. ``call_later``: an event loop's; expiry happens there. ``clock``: the loop's."""

    def __init__(
        self, initial: Mapping[str, str], call_later: Callable[..., Timer], clock: Callable[[], float]
    ) -> None:
        self._initial = {name: level for name, level in initial.items() if name}
        self._call_later = call_later
        self._clock = clock
        self._timers: dict[str, Timer] = {}
        self._changed: set[str] = set()

    def change(self, body: bytes) -> None:
        """``{"fairlead.dispatch": "debug"}``, ``{"…": {"level": "debug", "seconds": 600}}``, or ``null`` to undo.

        All or nothing. Raises :class:`BadLevels`.
        """
        try:
            wanted = _REQUEST.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadLevels(f"the body cannot be read; {_allowed(_BODY)}") from error
        if not wanted:
            raise BadLevels(f"the body names no component; {_allowed(_BODY)}")
        changes = {name: self._checked(name, change) for name, change in wanted.items()}
        self._changed |= changes.keys()
        for name, (level, seconds) in changes.items():
            self._set(name, level)
            if seconds is not None:
                self._timers[name] = self._call_later(seconds, self._set, name, None)

    def report(self) -> dict[str, ComponentLevel]:
        """Every component that is known."""
        now = self._clock()
        return {name: self._shown(name, now) for name in sorted(_known())}

    def close(self) -> None:
        """Go back to the levels of the start."""
        for name in self._changed:
            self._set(name, None)

    def _checked(self, name: str, change: str | Expiring | None) -> tuple[str | None, float | None]:
        if not _is_component(name):
            raise BadLevels(f"{name[:64]!r} is no component; {_allowed(_BODY)}")
        level, seconds = (change.level, change.seconds) if isinstance(change, Expiring) else (change, None)
        if seconds is not None and (level is None or not 0 < seconds <= _MAX_SECONDS):
            raise BadLevels(f"'seconds' goes with a level, and takes more than 0 and at most {_MAX_SECONDS}")
        return None if level is None else _level(level, _BODY), seconds

    def _set(self, name: str, level: str | None) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        level = self._initial.get(name) if level is None else level
        logging.getLogger(name).setLevel(logging.NOTSET if level is None else level.upper())

    def _shown(self, name: str, now: float) -> ComponentLevel:
        component, timer = logging.getLogger(name), self._timers.get(name)
        return ComponentLevel(
            level=logging.getLevelName(component.getEffectiveLevel()).lower(),
            set=component.level != logging.NOTSET,
            expires_in_seconds=None if timer is None else round(max(0.0, timer.when() - now), 1),
        )


def _known() -> set[str]:
    loggers = logging.Logger.manager.loggerDict
    used = {name for name, each in loggers.items() if name.startswith("fairlead.") and isinstance(each, logging.Logger)}
    return used | set(COMPONENTS)


def _is_component(name: str) -> bool:
    return name in COMPONENTS or name in _known()


def _level(text: str, example: str = _SETTING) -> str:
    level = text.lower()
    if level not in LEVELS:
        raise BadLevels(f"{text[:64]!r} is no level; {_allowed(example)}")
    return level


def _allowed(example: str = _SETTING) -> str:
    known = ", ".join(sorted(_known()))
    return f"levels are {', '.join(LEVELS)}; components are {known}; give for example {example}"

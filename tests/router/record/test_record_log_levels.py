"""Levels of single components, at the start and while the router runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fairlead_router.record.log_levels import BadLevels, LogLevels, apply_levels, parse_levels

DISPATCH = "fairlead.dispatch"


class Later:
    """A loop's ``call_later`` whose time a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[_Timer] = []

    def call_later(self, seconds: float, call: Callable[..., object], *arguments: object) -> _Timer:
        timer = _Timer(self.now + seconds, lambda: call(*arguments))
        self.timers.append(timer)
        return timer

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        for timer in [each for each in self.timers if each.at <= self.now]:
            self.timers.remove(timer)
            if not timer.cancelled:
                timer.call()


class _Timer:
    def __init__(self, at: float, call: Callable[[], object]) -> None:
        self.at, self.call, self.cancelled = at, call, False

    def cancel(self) -> None:
        self.cancelled = True

    def when(self) -> float:
        return self.at


@pytest.fixture(autouse=True)
def levels_are_put_back() -> Iterator[None]:
    names = ["fairlead", DISPATCH, "fairlead.http"]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def levels(later: Later) -> LogLevels:
    return LogLevels({"": "info", "fairlead.http": "error"}, later.call_later, lambda: later.now)


def enabled(name: str, level: int = logging.DEBUG) -> bool:
    return logging.getLogger(name).isEnabledFor(level)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("info", {"": "info"}),
        ("WARNING", {"": "warning"}),
        ("info,fairlead.dispatch=debug", {"": "info", DISPATCH: "debug"}),
        (" info , fairlead.dispatch = Debug ", {"": "info", DISPATCH: "debug"}),
        ("fairlead.dispatch=debug", {DISPATCH: "debug"}),
    ],
)
def test_levels_are_read_from_a_setting(text: str, parsed: dict[str, str]) -> None:
    assert parse_levels(text) == parsed


@pytest.mark.parametrize("text", ["", "loud", "info,", "info,=debug", "nobody=debug", "fairlead.dispatch=", "1"])
def test_a_setting_that_cannot_be_read_says_what_is_allowed(text: str) -> None:
    with pytest.raises(BadLevels, match=r"debug, info, warning.*fairlead\.dispatch"):
        parse_levels(text)


def test_a_level_holds_for_its_component_and_those_below_it() -> None:
    apply_levels({DISPATCH: "debug"})
    assert enabled(f"{DISPATCH}.stream")
    assert not enabled("fairlead.http")


def test_a_level_is_set_shown_and_undone(levels: LogLevels) -> None:
    levels.change(b'{"fairlead.dispatch": "debug"}')
    assert enabled(DISPATCH)
    shown = levels.report()[DISPATCH]
    assert (shown.level, shown.set, shown.expires_in_seconds) == ("debug", True, None)
    levels.change(b'{"fairlead.dispatch": null}')
    assert not enabled(DISPATCH)
    assert levels.report()[DISPATCH].set is False


def test_a_level_that_expires_goes_back_to_that_of_the_start(levels: LogLevels, later: Later) -> None:
    levels.change(b'{"fairlead.http": {"level": "debug", "seconds": 600}}')
    later.pass_(599)
    assert enabled("fairlead.http")
    assert levels.report()["fairlead.http"].expires_in_seconds == 1
    later.pass_(1)
    assert not enabled("fairlead.http", logging.WARNING)
    assert enabled("fairlead.http", logging.ERROR)


def test_a_newer_level_outlives_an_older_ones_expiry(levels: LogLevels, later: Later) -> None:
    levels.change(b'{"fairlead.dispatch": {"level": "debug", "seconds": 10}}')
    levels.change(b'{"fairlead.dispatch": "debug"}')
    later.pass_(60)
    assert enabled(DISPATCH)


def test_closing_undoes_what_would_have_expired(levels: LogLevels) -> None:
    levels.change(b'{"fairlead.dispatch": {"level": "debug", "seconds": 10}}')
    levels.close()
    assert not enabled(DISPATCH)


def test_closing_undoes_what_was_set_for_good_too(levels: LogLevels) -> None:
    levels.change(b'{"fairlead.dispatch": "debug"}')
    levels.close()
    assert not enabled(DISPATCH)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'"debug"',
        b'{"fairlead.dispatch": 10}',
        b'{"fairlead.dispatch": "loud"}',
        b'{"fairlead.dispatch": {"level": "debug", "seconds": 0}}',
        b'{"fairlead.dispatch": {"level": "debug", "seconds": 1e9}}',
        b'{"fairlead.dispatch": {"level": null, "seconds": 5}}',
        b'{"fairlead.dispatch": {"level": "debug", "minutes": 5}}',
        b'{"fairlead.nobody": "debug"}',
        b'{"": "debug"}',
        b'{"aiohttp": "debug"}',
        b"\xff",
        b"[" * 10_000,
    ],
)
def test_what_cannot_be_set_changes_nothing_and_says_what_is_allowed(levels: LogLevels, body: bytes) -> None:
    with pytest.raises(BadLevels, match=r"fairlead\.dispatch|at most"):
        levels.change(body)
    with pytest.raises(BadLevels):
        levels.change(b'{"fairlead.dispatch": "debug", "fairlead.nobody": "debug"}')
    assert not enabled(DISPATCH)


def test_no_logger_is_made_by_asking_for_it(levels: LogLevels) -> None:
    known: dict[str, Any] = logging.Logger.manager.loggerDict
    with pytest.raises(BadLevels):
        levels.change(b'{"fairlead.invented": "debug"}')
    assert "fairlead.invented" not in known

"""Bundles and rules are loaded when somebody needs them, and again when they have changed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairlead_router.classify.counts import ClassifierCounts, Loaded
from fairlead_router.classify.info import ClassifierState
from fairlead_router.classify.loading import Loader, Part, Stamp, stamp_of
from fairlead_router.classify.rules import RulesRefused, open_rules
from tests.router.classify.classify_parts import HeldLearned, a_service, until


class Followed:
    """A loader of a text file, whose second passes whenever a test says so."""

    def __init__(self, place: Path | None) -> None:
        self.place = place
        self.place_error: Exception | None = None
        self.opened = 0
        self.mended = False
        self.in_force: list[str] = []
        self.told: list[str | None] = []
        self.counts = ClassifierCounts()
        self.looks = 0
        self._tick = asyncio.Event()
        part = Part(
            name="bundle",
            place=self._place,
            open=self._open,
            install=self.in_force.append,
            tell=self.told.append,
            absent="EncoderAbsent: there is none",
            refused="BundleRefused",
            otherwise="the rules decide alone",
        )
        self.loader = Loader(part, self.counts, sleep=self._second)

    async def look_again(self) -> None:
        looks = self.looks
        self._tick.set()
        await until(lambda: self.looks > looks)

    async def _second(self, seconds: float) -> None:
        assert seconds == 1.0
        self.looks += 1
        self._tick.clear()
        await self._tick.wait()

    def _place(self) -> Path | None:
        if self.place_error is not None:
            raise self.place_error
        return self.place

    def _open(self, place: Path) -> str:
        self.opened += 1
        text = (place / "manifest.json" if place.is_dir() else place).read_text()
        if text.startswith("bad") and not self.mended:
            raise ValueError(f"{text} is no bundle")
        if text.startswith("panics"):
            raise BaseException("a panic in a library")
        if text.startswith("needs"):
            raise ImportError("onnxruntime is not installed")
        return text


@asynccontextmanager
async def following(place: Path | None, *, wanted: bool = True) -> AsyncIterator[Followed]:
    followed = Followed(place)
    task = asyncio.create_task(followed.loader.run())
    if wanted:
        followed.loader.want()
        await until(lambda: followed.looks == 1)
    try:
        yield followed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_opened_before_somebody_needs_it(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("one")
    async with following(tmp_path / "b", wanted=False) as followed:
        await asyncio.sleep(0)
        assert (followed.in_force, followed.loader.state()) == ([], ClassifierState.NOT_LOADED)
        followed.loader.want()
        assert followed.loader.state() is ClassifierState.LOADING
        await until(lambda: followed.looks == 1)
        assert (followed.in_force, followed.told) == (["one"], [None])
        assert followed.loader.state() is ClassifierState.READY


async def test_what_has_not_changed_is_not_opened_again(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("one")
    async with following(tmp_path / "b") as followed:
        for _ in range(3):
            await followed.look_again()
    assert followed.in_force == ["one"]


@pytest.mark.parametrize("way", ["file", "link", "other place"])
async def test_what_has_changed_is_put_in_force(tmp_path: Path, way: str) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(name)
    current = tmp_path / "current"
    current.symlink_to("one")
    async with following(current) as followed:
        if way == "file":
            (tmp_path / "one" / "manifest.json").write_text("two")
        elif way == "link":
            (tmp_path / "newer").symlink_to("two")
            os.replace(tmp_path / "newer", current)
        else:
            followed.place = tmp_path / "two"
        await followed.look_again()
    assert followed.in_force == ["one", "two"]


async def test_a_bad_one_leaves_what_was_in_force_and_a_good_one_after_it_is_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "b"
    bundle.write_text("one")
    async with following(bundle) as followed:
        bundle.write_text("bad two")
        await followed.look_again()
        assert (followed.in_force, followed.loader.state()) == (["one"], ClassifierState.READY)
        assert followed.told[-1] == "BundleRefused: bad two is no bundle; what was in force before stays"
        bundle.write_text("three")
        await followed.look_again()
    assert followed.in_force == ["one", "three"]
    assert followed.told[-1:] == [None]
    found = {
        tuple(s.labels.values()): s.value
        for f in followed.counts.collect()
        for s in f.samples
        if "loads_total" in s.name
    }
    assert found == {("bundle", Loaded.LOADED.value): 2, ("bundle", Loaded.REFUSED.value): 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "EncoderAbsent: there is none; the rules decide alone"),
        ("bad", "BundleRefused: bad is no bundle; the rules decide alone"),
        ("needs", "EncoderAbsent: onnxruntime is not installed; the rules decide alone"),
        ("panics", "BundleRefused: BaseException: a panic in a library; the rules decide alone"),
    ],
)
async def test_without_one_that_can_be_used_it_says_so_by_name_until_there_is(
    tmp_path: Path, text: str | None, told: str
) -> None:
    bundle = tmp_path / "b"
    if text is not None:
        bundle.write_text(text)
    async with following(bundle) as followed:
        assert (followed.told, followed.loader.state()) == ([told], ClassifierState.ABSENT)
        bundle.write_text("good at last")
        await followed.look_again()
    assert (followed.in_force, followed.told[-1]) == (["good at last"], None)


async def test_what_was_refused_is_tried_again_after_a_minute_and_spoken_of_once(tmp_path: Path) -> None:
    bundle = tmp_path / "b"
    bundle.write_text("bad for now")
    async with following(bundle) as followed:
        for _ in range(59):
            await followed.look_again()
        assert followed.opened == 1
        await followed.look_again()
        assert (followed.opened, len(followed.told)) == (2, 1)
        followed.mended = True
        for _ in range(60):
            await followed.look_again()
    assert (followed.in_force, followed.told[-1]) == (["bad for now"], None)


async def test_a_change_of_who_may_read_it_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    before = stamp_of(tmp_path)
    (tmp_path / "file").chmod(0o600)
    assert stamp_of(tmp_path) != before


async def test_why_there_is_nothing_is_told_when_it_changes(tmp_path: Path) -> None:
    async with following(None) as followed:
        followed.place_error = ValueError("the pointer cannot be read")
        for _ in range(2):
            await followed.look_again()
        followed.place_error = None
        await followed.look_again()
    absent = "EncoderAbsent: there is none; the rules decide alone"
    assert followed.told == [absent, "BundleRefused: the pointer cannot be read; the rules decide alone", absent]


def test_a_folder_that_can_be_no_bundle_is_not_looked_through(tmp_path: Path) -> None:
    for number in range(1200):
        (tmp_path / str(number)).touch()
    assert len(stamp_of(tmp_path)) == 1000


async def test_what_vanishes_stays_in_force_and_is_missed_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "manifest.json").write_text("one")
    async with following(tmp_path / "b") as followed:
        shutil.rmtree(tmp_path / "b")
        await followed.look_again()
        await followed.look_again()
    assert followed.told == [None, "EncoderAbsent: there is none; what was in force before stays"]
    assert followed.loader.state() is ClassifierState.READY


def test_a_stamp_is_of_every_file_below_a_folder_and_of_nothing_where_there_is_none(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "none") == Stamp()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("x")
    before = stamp_of(tmp_path)
    (tmp_path / "deep" / "file").write_text("longer")
    assert len(before) == len(stamp_of(tmp_path)) == 1
    assert before != stamp_of(tmp_path)


def test_rules_of_a_file_are_added_to_the_default_ones(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    rule = {"name": "legal.clause", "category": "legal", "score": 0.95, "phrases": ["clause"]}
    file.write_text(json.dumps({"categories": ["legal"], "rules": [rule]}))
    rules = open_rules(file)
    assert "legal" in rules.book.categories
    assert rules.digest != open_rules(None).digest == b""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("categories: [legal]", "is not JSON, which alone is read here"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "the fields are categories, rules, disable and examples"),
        ('{"unheard": 1}', "unheard"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_rules_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "rules.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RulesRefused, match=rf"rules\.json.*{words}"):
        open_rules(file)


async def test_bundles_are_swapped_under_traffic_and_no_request_notices(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_text("0")
    service = a_service()
    digests: list[str | None] = []
    part = Part(
        name="bundle",
        place=lambda: bundle,
        open=lambda place: HeldLearned(place.read_text()),
        install=service.use_learned,
        tell=lambda problem: None,
        absent="EncoderAbsent: there is none",
        refused="BundleRefused",
        otherwise="the rules decide alone",
    )
    loader = Loader(part, ClassifierCounts(), sleep=lambda _: asyncio.sleep(0))
    loader.want()
    following = asyncio.create_task(loader.run())
    await until(lambda: service.learned is not None)

    async def ask(client: int) -> None:
        number = 0
        while digests[-1:] != ["3"]:
            said = await service.classify(f"{client} asks {number}")
            assert said.fallback is None
            digests.append(said.bundle_digest)
            number += 1

    asking = asyncio.gather(*(ask(client) for client in range(8)))
    for version in ("1", "2", "3"):
        seen = len(digests)
        await until(lambda seen=seen: len(digests) > seen + 20)  # type: ignore[misc]
        draft = tmp_path / "draft"
        draft.write_text(version)
        draft.replace(bundle)  # whole, as nothing here has a digest by which half of it would be refused
        await until(lambda version=version: service.learned.digest == version)  # type: ignore[misc,union-attr]
    await asking
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await service.close()
    assert set(digests) == {"0", "1", "2", "3"}

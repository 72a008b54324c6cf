"""Names that say nothing, seals that only the right key opens in the right place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.cache.keyring import Keyring

RING = Keyring(b"secret")
texts = st.text(max_size=8)
parts = st.lists(texts | st.none() | st.binary(max_size=8), max_size=4)


@given(texts, parts, texts, parts)
def test_two_names_are_equal_only_if_room_workspace_and_all_parts_are(
    one: str, ones: list[str], other: str, others: list[str]
) -> None:
    assert (RING.name("cache", one, *ones) == RING.name("cache", other, *others)) == ((one, ones) == (other, others))
    assert RING.name("cache", one, *ones) != RING.name("repeat", one, *ones)


@given(texts, parts)
def test_without_the_secret_a_name_cannot_be_made(workspace: str, some: list[str]) -> None:
    assert RING.name("cache", workspace, *some) != Keyring(b"guessed").name("cache", workspace, *some)


@given(st.binary(max_size=2000), texts, texts)
def test_what_was_sealed_is_opened_by_the_same_key_under_the_same_name(plain: bytes, workspace: str, name: str) -> None:
    sealed = RING.seal(workspace, name, plain)
    assert RING.open(workspace, name, sealed) == plain
    assert Keyring(b"secret").open(workspace, name, sealed) == plain
    assert Keyring(b"rotated").open(workspace, name, sealed) is None
    assert RING.open(workspace + "x", name, sealed) is None
    assert RING.open(workspace, name + "x", sealed) is None


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_seal_with_any_bit_changed_or_any_byte_missing_stays_shut(plain: bytes, data: st.DataObject) -> None:
    sealed = RING.seal("ws", "name", plain)
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    assert RING.open("ws", "name", bytes(changed)) is None
    assert RING.open("ws", "name", sealed[:place]) is None


def test_the_same_plain_text_is_never_sealed_alike_twice() -> None:
    assert len({RING.seal("ws", "name", b"plain") for _ in range(100)}) == 100


def test_nothing_of_the_plain_text_shows() -> None:
    assert b"canary-text" not in RING.seal("ws", "name", b"canary-text" * 10)

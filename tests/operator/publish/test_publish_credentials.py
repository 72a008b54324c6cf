"""Which secret values travel beside a snapshot, and for how long."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.fragments import Endpoint, Header, ProviderFragment, SecretKey
from fairlead_contract.snapshot import Credential, Credentials, Entry, make_entry
from fairlead_operator.publish.credentials import (
    Places,
    collect,
    merge,
    read_secret,
    secret_version,
    wanted_credentials,
)

TEXTS = st.text(min_size=1, max_size=8)


def secret(**values: bytes) -> dict[str, Any]:
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"metadata": {"namespace": "a", "name": "keys", "uid": "u", "labels": {"l": "1"}}, "data": data}


def credential(version: str, key: str = "k", name: str = "keys") -> Credential:
    return Credential("a", name, key, version, f"value of {version}")


def credentials(*entries: Credential) -> Credentials:
    return Credentials(tuple(sorted(entries, key=lambda item: (item.namespace, item.name, item.key, item.version))))


# ------------------------------------------------------------------------------------------------ reading


def test_the_compiler_learns_versions_and_never_values() -> None:
    versions, values = read_secret(secret(k=b"sk-hidden"))
    assert (versions.namespace, versions.name, dict(versions.labels)) == ("a", "keys", {"l": "1"})
    assert "sk-hidden" not in repr(versions)
    assert values == {("a", "keys", "k", versions.keys["k"]): "sk-hidden"}


def test_what_no_header_could_carry_is_left_out() -> None:
    raw = secret(good=b"x", binary=b"\xff\xfe")
    raw["data"] |= {"no base64": "%%%", "nothing": None}
    versions, values = read_secret(raw)
    assert set(versions.keys) == {"good"}
    assert len(values) == 1


def test_a_secret_without_data_has_no_versions() -> None:
    assert read_secret({"metadata": {"namespace": "a", "name": "keys"}})[0].keys == {}


@given(TEXTS, TEXTS)
def test_the_version_changes_with_the_value_and_only_with_it(one: str, other: str) -> None:
    assert (secret_version("a", "n", "u", "k", one) == secret_version("a", "n", "u", "k", other)) == (one == other)


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), st.tuples(TEXTS, TEXTS, TEXTS, TEXTS))
def test_equal_values_in_two_places_are_not_seen_to_be_equal(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (secret_version(*one, "value") == secret_version(*other, "value")) == (one == other)


# ------------------------------------------------------------------------------------------------ what is wanted


def provider(called: str, withheld: str | None = None, *, header: SecretKey | None = None, **key: str) -> Entry:
    fragment = ProviderFragment(
        namespace="a",
        name=called,
        uid="uid",
        generation=1,
        type="OpenAICompatible",
        endpoints=(
            Endpoint("e", "https://e.example/v1", headers=() if header is None else (Header("x", None, header),)),
        ),
        credential=SecretKey(**{"name": "keys", "key": "k", "version": "v1"} | key),
        models=(),
        withheld=withheld,
    )
    return make_entry(fragment)


def test_wanted_is_what_providers_in_force_refer_to() -> None:
    header = SecretKey(name="others", key="h", version="v7")
    entries = [provider("x"), provider("y", header=header), provider("withheld", "SecretNotFound", version="v9")]
    assert wanted_credentials(entries) == {("a", "keys", "k", "v1"), ("a", "others", "h", "v7")}


def test_a_reference_whose_secret_was_never_seen_wants_nothing() -> None:
    assert wanted_credentials([provider("x", version="")]) == frozenset()


def test_the_memory_of_references_forgets_what_is_gone() -> None:
    memory: dict[str, Places] = {}
    one, other = provider("x"), provider("y", name="others")
    assert wanted_credentials([one, other], memory) == wanted_credentials([one, other])
    assert wanted_credentials([other], memory) == {("a", "others", "k", "v1")}
    assert set(memory) == {other.digest}


# ------------------------------------------------------------------------------------------------ merging


def test_an_older_version_stays_while_routers_may_still_use_it() -> None:
    now, before = credentials(credential("v2")), credentials(credential("v1"))
    there = frozenset({("a", "keys", "k")})
    assert merge(now, before, there) == credentials(credential("v1"), credential("v2"))


def test_what_was_withdrawn_is_dropped_at_once_in_every_version() -> None:
    before = credentials(credential("v1"), credential("v2"), credential("v1", "other"))
    assert merge(Credentials(), before, frozenset({("a", "keys", "other")})) == credentials(credential("v1", "other"))


def test_a_value_without_a_wish_for_it_and_a_wish_without_a_value_are_left_out() -> None:
    places = {("a", "keys", "k", "v1"): "one", ("a", "keys", "k", "v2"): "two"}
    assert collect([("a", "keys", "k", "v2"), ("a", "keys", "k", "v3")], places) == Credentials(
        (Credential("a", "keys", "k", "v2", "two"),)
    )


CREDENTIALS = st.builds(
    lambda places: credentials(*(credential(*place) for place in places)),
    st.sets(st.tuples(st.sampled_from(["v1", "v2", "v3"]), st.sampled_from("kj"), st.sampled_from(["n", "m"]))),
)


@given(
    CREDENTIALS, CREDENTIALS, st.frozensets(st.tuples(st.just("a"), st.sampled_from(["n", "m"]), st.sampled_from("kj")))
)
def test_merging_keeps_all_that_is_new_and_nothing_that_is_gone(
    now: Credentials, before: Credentials, still_there: frozenset[tuple[str, str, str]]
) -> None:
    merged = merge(now, before, still_there)
    assert set(now.entries) <= set(merged.entries)
    assert all((item.namespace, item.name, item.key) in still_there for item in set(merged.entries) - set(now.entries))
    assert merge(now, merged, still_there) == merged

"""The wire form of a snapshot: what comes out is what went in, and nothing else is taken for one."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_contract.fragments import (
    AnyFragment,
    Canary,
    Endpoint,
    Header,
    Match,
    Model,
    ModelRef,
    PolicyFragment,
    Price,
    ProviderFragment,
    SecretKey,
    Target,
    TenancyFragment,
    WorkspaceFragment,
    WorkspacePattern,
)
from fairlead_contract.snapshot import (
    MAX_BODY_BYTES,
    SCHEMA_VERSION,
    SUPPORTED_SCHEMA_VERSIONS,
    Body,
    Credential,
    Credentials,
    Entry,
    RejectReason,
    Sealed,
    SnapshotRejected,
    body_digest,
    decode_fragment,
    encode_body,
    encode_fragment,
    fragment_digest,
    make_entry,
    seal,
    seal_body,
    unseal,
)

SMALL = ModelRef("team-a", "openai", "org/small")
FRAGMENTS: list[AnyFragment] = [
    ProviderFragment(
        namespace="team-a",
        name="openai",
        uid="1",
        generation=3,
        type="OpenAI",
        endpoints=(
            Endpoint("e", "https://api.example/v1", headers=(Header("x-key", secret=SecretKey("k", "v", "7")),)),
        ),
        models=(Model(name="org/small", upstream_name="s", prices=(Price(0, 1, 2, cached_input=0),)),),
    ),
    PolicyFragment(
        namespace="team-a",
        name="main",
        uid="2",
        generation=1,
        created_at=5,
        match=Match(models=(), workspaces=("ws",)),
        targets=(Target("t", SMALL, unresolved="ModelNotFound"),),
        canary=Canary(SMALL, 5, spec_hash="ab"),
    ),
    WorkspaceFragment(namespace="team-a", name="budget", uid="3", generation=1, workspace="ws", allowed_models=()),
    TenancyFragment(
        namespace="",
        name="tenancy",
        uid="",
        generation=0,
        owners={"b": "x", "a": "y"},
        patterns=(WorkspacePattern("ws-", "team-a"),),
    ),
]
ENTRIES = [make_entry(fragment) for fragment in FRAGMENTS]


def sealed(entries: list[Entry] | None = None) -> Sealed:
    return seal(ENTRIES if entries is None else entries, compiler_version="test", epoch=2, revision=7)


def with_manifest(**fields: Any) -> Sealed:
    return Sealed(msgspec.structs.replace(sealed().manifest, **fields), sealed().payload)


def with_body(body: bytes, schema_version: int = SCHEMA_VERSION) -> Sealed:
    """Sealed by hand: whatever it is, digest and length are right."""
    made = seal_body(body, body_digest(body), compiler_version="test", epoch=1, revision=1)
    return Sealed(msgspec.structs.replace(made.manifest, schema_version=schema_version), made.payload)


def rejection(given: Sealed) -> SnapshotRejected:
    with pytest.raises(SnapshotRejected) as caught:
        unseal(given)
    return caught.value


def test_what_is_sealed_comes_out_again_in_order() -> None:
    body = unseal(Sealed.from_bytes(sealed().to_bytes()))
    assert [entry.kind for entry in body.entries] == ["ModelProvider", "RoutingPolicy", "Tenancy", "WorkspaceBudget"]
    by_key = {fragment.key: fragment for fragment in FRAGMENTS}
    for entry in body.entries:
        assert decode_fragment(entry.fragment) == by_key[f"{entry.namespace}/{entry.name}"]
        assert entry.digest == fragment_digest(bytes(entry.fragment))


def test_the_manifest_says_what_is_inside() -> None:
    manifest = Sealed.from_bytes(sealed().to_bytes()).manifest
    assert (manifest.version, manifest.schema_version, manifest.compiler_version) == ((2, 7), SCHEMA_VERSION, "test")
    assert manifest.body_bytes == len(zlib.decompress(sealed().payload))


@given(st.permutations(ENTRIES))
def test_equal_entries_give_equal_bytes_in_any_order(entries: list[Entry]) -> None:
    assert sealed(entries).to_bytes() == sealed().to_bytes()


def test_the_digest_is_of_the_content_whatever_compressed_it() -> None:
    squeezed = Sealed(sealed().manifest, zlib.compress(zlib.decompress(sealed().payload), 9))
    assert unseal(squeezed) == unseal(sealed())
    renumbered = seal(ENTRIES, compiler_version="test", epoch=9, revision=1)
    assert renumbered.manifest.digest == sealed().manifest.digest
    assert renumbered.payload == sealed().payload


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda fragment: type(fragment).__name__)
def test_a_fragment_is_canonical(fragment: AnyFragment) -> None:
    data = encode_fragment(fragment)
    assert encode_fragment(decode_fragment(data)) == data
    assert b" " not in data
    assert b"null" not in data


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"null", b'{"kind":"Surprise"}', b'{"kind":"Tenancy","namespace":"\x80"}', b"[" * 100_000]
)
def test_what_is_no_fragment_raises_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_fragment(data)


def test_the_keys_of_maps_are_sorted() -> None:
    assert b'"owners":{"a":"y","b":"x"}' in encode_fragment(FRAGMENTS[3])


@pytest.mark.parametrize(
    ("given", "reason", "word"),
    [
        (with_manifest(body_bytes=1), RejectReason.MALFORMED, "cut short or longer"),
        (with_manifest(body_bytes=10**6), RejectReason.MALFORMED, "cut short or longer"),
        (with_manifest(body_bytes=-1), RejectReason.MALFORMED, "-1 bytes"),
        (with_manifest(body_bytes=MAX_BODY_BYTES + 1), RejectReason.TOO_LARGE, "limit"),
        (with_manifest(digest="sha256:" + "0" * 64), RejectReason.DIGEST_MISMATCH, "digest"),
        (with_manifest(schema_version=SCHEMA_VERSION + 1), RejectReason.SCHEMA_UNSUPPORTED, "upgrade the routers"),
        (Sealed(sealed().manifest, b"surely no zlib"), RejectReason.MALFORMED, "unpacked"),
        (Sealed(sealed().manifest, b""), RejectReason.MALFORMED, "cut short"),
        (Sealed(sealed().manifest, sealed().payload + b"more"), RejectReason.MALFORMED, "longer"),
        (with_body(b"{}"), RejectReason.MALFORMED, "read"),
        (with_body(b"[" * 100_000), RejectReason.MALFORMED, "read"),
        (with_body(b'{"schemaVersion":' + b"[" * 100_000), RejectReason.MALFORMED, "read"),
    ],
)
def test_what_is_wrong_with_a_snapshot_is_said_by_reason(given: Sealed, reason: RejectReason, word: str) -> None:
    error = rejection(given)
    assert error.reason is reason
    assert word in error.message
    assert str(error) == f"{reason.value}: {error.message}"


def test_a_bomb_is_not_unpacked_beyond_what_its_manifest_says() -> None:
    bomb = Sealed(with_manifest(body_bytes=100).manifest, zlib.compress(bytes(MAX_BODY_BYTES * 2)))
    assert rejection(bomb).reason is RejectReason.MALFORMED


def test_this_version_and_the_one_before_are_read() -> None:
    assert {SCHEMA_VERSION, SCHEMA_VERSION - 1} - {0} == SUPPORTED_SCHEMA_VERSIONS


@pytest.mark.parametrize("version", [-1, 0, 1, 2, 3])
def test_the_window_of_schema_versions(version: int) -> None:
    body = msgspec.json.encode(Body(version, "test", ENTRIES))
    given = with_body(body, version)
    if version in SUPPORTED_SCHEMA_VERSIONS:
        assert unseal(given).schema_version == version
    else:
        assert rejection(given).reason is RejectReason.SCHEMA_UNSUPPORTED


def test_body_and_manifest_must_agree_on_the_schema_version() -> None:
    body = msgspec.json.encode(Body(SCHEMA_VERSION + 1, "test", []))
    assert rejection(with_body(body)).reason is RejectReason.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"{}\n",
        b"\n",
        b"null\nx",
        b'{"epoch":"1"}\nx',
        b"\xff\xfe\n",
        b'{"compilerVersion":"\x80"}\n',
        b'{"x":' + b"[" * 100_000 + b"\n",
    ],
)
def test_what_is_no_wire_form_is_malformed(data: bytes) -> None:
    with pytest.raises(SnapshotRejected) as caught:
        Sealed.from_bytes(data)
    assert caught.value.reason is RejectReason.MALFORMED


def read(data: bytes) -> Body | None:
    try:
        return unseal(Sealed.from_bytes(data))
    except SnapshotRejected:
        return None


def test_no_beginning_of_a_snapshot_is_taken_for_one() -> None:
    data = sealed().to_bytes()
    assert all(read(data[:length]) is None for length in range(len(data)))


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_snapshot_is_rejected_or_unharmed(data: st.DataObject) -> None:
    whole = bytearray(sealed().to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = read(bytes(whole))
    assert found is None or found == unseal(sealed())


@given(st.binary(max_size=200))
def test_any_bytes_are_rejected_without_surprise(data: bytes) -> None:
    assert read(data) is None


def test_encode_body_then_seal_body_is_seal() -> None:
    body = encode_body(ENTRIES, "test")
    assert seal_body(body, body_digest(body), compiler_version="test", epoch=2, revision=7) == sealed()


def test_a_credential_never_shows_its_value() -> None:
    credential = Credential("team-a", "keys", "api-key", "v1", "sk-very-secret")
    for shown in (repr(credential), str(credential), f"{Credentials((credential,))}", repr([credential])):
        assert "sk-very-secret" not in shown
        assert "team-a/keys:api-key@v1" in shown

"""The published ConfigMap and Secret: what is put in comes out, and anything else is refused with what is wrong."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.delivery import (
    CREDENTIALS_KEY,
    MANIFEST_KEY,
    SNAPSHOT_KEY,
    credentials_fields,
    credentials_in,
    read_credentials,
    snapshot_fields,
    snapshot_in,
)
from fairlead_contract.snapshot import Credential, Credentials, RejectReason, Sealed, SnapshotRejected
from tests.contract.test_contract_snapshot import ENTRIES, sealed

SECRET_VALUE = "sk-very-secret"
CREDENTIALS = Credentials((Credential("team-a", "keys", "api-key", "v1", SECRET_VALUE),))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_published_snapshot_comes_out_as_it_went_in() -> None:
    assert snapshot_in({"kind": "ConfigMap", **snapshot_fields(sealed())}) == sealed()


@given(st.lists(st.builds(Credential, st.text(), st.text(), st.text(), st.text(), st.text()), max_size=3))
def test_published_credentials_come_out_as_they_went_in(entries: list[Credential]) -> None:
    credentials = Credentials(tuple(entries))
    assert credentials_in({"kind": "Secret", **credentials_fields(credentials)}) == credentials


def test_what_the_api_server_stores_is_base64_of_the_wire_form_and_readable_json() -> None:
    fields = snapshot_fields(sealed())
    assert base64.b64decode(fields["binaryData"][SNAPSHOT_KEY]) == sealed().to_bytes()
    manifest = fields["data"][MANIFEST_KEY]
    assert "\n" in manifest.strip()
    assert json.loads(manifest)["revision"] == 7
    assert msgspec.json.decode(base64.b64decode(credentials_fields(CREDENTIALS)["data"][CREDENTIALS_KEY]))


def test_equal_content_gives_equal_fields() -> None:
    assert snapshot_fields(sealed(ENTRIES[::-1])) == snapshot_fields(sealed())


def config_map(**changes: Any) -> dict[str, Any]:
    """A good one, with its sections replaced; ``None`` takes a section away."""
    changed: dict[str, Any] = {**snapshot_fields(sealed()), **changes}
    return {name: section for name, section in changed.items() if section is not None}


def manifest_of(revision: int) -> str:
    return msgspec.json.encode(msgspec.structs.replace(sealed().manifest, revision=revision)).decode()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, MANIFEST_KEY),
        (config_map(data=None), MANIFEST_KEY),
        (config_map(data=7), MANIFEST_KEY),
        (config_map(binaryData=None), "binaryData['snapshot']"),
        (config_map(binaryData={SNAPSHOT_KEY: ""}), "empty"),
        (config_map(binaryData={SNAPSHOT_KEY: 7}), "binaryData['snapshot']"),
        (config_map(binaryData={SNAPSHOT_KEY: "%%%"}), "not base64"),
        (config_map(binaryData={SNAPSHOT_KEY: "é"}), "not base64"),
        (config_map(binaryData={SNAPSHOT_KEY: encoded(b"no line")}), "cut short"),
        (config_map(binaryData={SNAPSHOT_KEY: encoded(b"{}\n")}), "manifest cannot be read"),
        (config_map(data={MANIFEST_KEY: "{"}), "is no manifest"),
        (config_map(data={MANIFEST_KEY: 7}), "is no manifest"),
        (config_map(data={MANIFEST_KEY: "[" * 100_000}), "is no manifest"),
        (config_map(data={MANIFEST_KEY: manifest_of(8)}), "half-written"),
    ],
)
def test_a_config_map_that_delivers_no_snapshot_says_what_is_wrong(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SnapshotRejected) as caught:
        snapshot_in(given)
    assert caught.value.reason is RejectReason.MALFORMED
    assert words in caught.value.message


def test_a_half_written_one_names_both_versions() -> None:
    with pytest.raises(SnapshotRejected, match=r"epoch 2 revision 8 .* epoch 2 revision 7 "):
        snapshot_in(config_map(data={MANIFEST_KEY: manifest_of(8)}))


@pytest.mark.parametrize("more", ["  ", "\n"])
def test_how_the_readable_manifest_is_laid_out_does_not_matter(more: str) -> None:
    assert isinstance(snapshot_in(config_map(data={MANIFEST_KEY: manifest_of(7) + more})), Sealed)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no data['credentials']"),
        ({"data": {CREDENTIALS_KEY: SECRET_VALUE + "%"}}, "not base64"),
        ({"data": {CREDENTIALS_KEY: encoded(SECRET_VALUE.encode())}}, "no JSON"),
        ({"data": {CREDENTIALS_KEY: encoded(b'{"entries":["' + SECRET_VALUE.encode() + b'"]}')}}, "entries"),
        (
            {"data": {CREDENTIALS_KEY: encoded(b'{"entries":[{"namespace":"' + SECRET_VALUE.encode() + b'\xff"}]}')}},
            "no JSON",
        ),
        ({"data": {CREDENTIALS_KEY: encoded(b'{"x":' + b"[" * 100_000)}}, "no JSON"),
    ],
)
def test_a_secret_that_delivers_no_credentials_says_what_is_wrong_and_quotes_nothing(
    given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        credentials_in(given)
    assert SECRET_VALUE not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_credentials_in_a_file_are_the_same_json() -> None:
    assert read_credentials(msgspec.json.encode(CREDENTIALS)) == CREDENTIALS

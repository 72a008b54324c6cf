"""The published JSON Schemas: up to date, and true of what we write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from fairlead_contract.decision import DecisionRecord, Facts, Outcome, SnapshotUsed, decode_record, encode_record
from fairlead_contract.schemas import documents, main
from fairlead_contract.snapshot import encode_fragment, unseal
from tests.contract.test_contract_snapshot import FRAGMENTS, sealed

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"
RECORD = DecisionRecord(
    id="d1",
    time=1,
    snapshot=SnapshotUsed(epoch=1, revision=1, digest="sha256:0"),
    facts=Facts(workspace="ws", request_type="Chat", requested_model="auto"),
    outcome=Outcome.SUCCEEDED,
    status=200,
    duration_microseconds=5,
    overhead_microseconds=1,
    outcome_key="d1",
)


def validator(name: str) -> Any:
    schema = json.loads((PUBLISHED / name).read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schemas_in_docs_are_those_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(PUBLISHED), "--check"]) == 0, capsys.readouterr().err


def test_a_schema_that_is_missing_or_stale_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--check"]) == 1
    assert all(name in capsys.readouterr().err for name in ["snapshot-manifest.v1.json"])
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
    (tmp_path / "decision-record.v1.json").write_text("{}")
    assert main([str(tmp_path), "--check"]) == 1
    assert {path.name for path in tmp_path.iterdir()} == documents().keys()


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda fragment: type(fragment).__name__)
def test_every_kind_of_fragment_fits_its_schema(fragment: Any) -> None:
    validator("fragments.v1.json").validate(json.loads(encode_fragment(fragment)))


def test_manifest_and_body_fit_their_schemas() -> None:
    validator("snapshot-manifest.v1.json").validate(json.loads(msgspec.json.encode(sealed().manifest)))
    validator("snapshot-body.v1.json").validate(json.loads(msgspec.json.encode(unseal(sealed()))))


def test_a_record_fits_its_schema_and_comes_back() -> None:
    validator("decision-record.v1.json").validate(json.loads(encode_record(RECORD)))
    assert decode_record(encode_record(RECORD)) == RECORD


def test_a_record_without_a_status_does_not_fit() -> None:
    incomplete = json.loads(encode_record(RECORD))
    del incomplete["status"]
    with pytest.raises(jsonschema.ValidationError):
        validator("decision-record.v1.json").validate(incomplete)

"""Publishes the contract's JSON Schemas: ``python -m fairlead_contract.schemas DIR [--check]``."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from fairlead_contract.decision import RECORD_SCHEMA_VERSION, DecisionRecord
from fairlead_contract.fragments import AnyFragment
from fairlead_contract.generated import write_all
from fairlead_contract.snapshot import SCHEMA_VERSION, Body, Manifest
from fairlead_contract.telemetry import CONTRACT_NAME, RouterDecisionEvent


def _entry_schema_hook(annotation: type) -> dict[str, Any]:
    if annotation is msgspec.Raw:
        return {"description": "A fragment; see fragments.v1.json."}
    raise NotImplementedError(annotation)


def documents() -> dict[str, bytes]:
    """File name → schema document, for everything that other programs may read or write."""
    published: dict[str, Any] = {
        f"snapshot-manifest.v{SCHEMA_VERSION}.json": Manifest,
        f"snapshot-body.v{SCHEMA_VERSION}.json": Body,
        f"fragments.v{SCHEMA_VERSION}.json": AnyFragment,
        f"decision-record.v{RECORD_SCHEMA_VERSION}.json": DecisionRecord,
        f"{CONTRACT_NAME}.json": RouterDecisionEvent,
    }
    result = {}
    for name, annotation in published.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name.removesuffix(".json")}
        schema |= msgspec.json.schema(annotation, schema_hook=_entry_schema_hook)
        result[name] = msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n"
    return result


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` name those that differ. Returns the exit status."""
    return write_all(arguments, documents())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

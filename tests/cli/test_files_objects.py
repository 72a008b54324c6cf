"""Single documents → namespaces, secrets, resources, or a problem with its place."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from fairlead_cli.files.problems import ProblemReason, ProblemSeverity
from fairlead_cli.files.source import FolderReader
from tests.cli.cli_resources import documents, policy, secret, write


@pytest.fixture
def reader(tmp_path: Path) -> FolderReader:
    return FolderReader((str(tmp_path),))


def test_namespaces_carry_labels_annotations_and_age(tmp_path: Path, reader: FolderReader) -> None:
    text = """\
apiVersion: v1
kind: Namespace
metadata:
  name: team
  creationTimestamp: 1970-01-01T00:01:00Z
  labels: {tier: gold}
  annotations: {fairlead.dev/workspaces: "ws-*"}
"""
    write(tmp_path / "a.yaml", documents(text, policy()))
    declared = {item.name: item for item in reader.read().resources.namespaces}
    assert set(declared) == {"team", "default"}
    assert declared["team"].created_at == 60
    assert declared["team"].labels == {"kubernetes.io/metadata.name": "team", "tier": "gold"}
    assert declared["team"].annotations == {"fairlead.dev/workspaces": "ws-*"}


def test_secret_values_travel_beside_their_versions(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / "a.yaml", secret() + "data: {other: " + base64.b64encode(b"two").decode() + "}\n")
    reading = reader.read()
    (versions,) = reading.resources.secrets
    values = {entry.key: (entry.version, entry.value) for entry in reading.credentials.entries}
    assert set(versions.keys) == {"api-key", "other"}
    assert values == {"api-key": (versions.keys["api-key"], "s3cret"), "other": (versions.keys["other"], "two")}
    assert "s3cret" not in repr(reading.resources) + repr(reading.credentials)


def test_a_secret_without_the_label_gives_no_values(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / "a.yaml", secret(label="other"))
    reading = reader.read()
    assert list(reading.resources.secrets[0].keys) == ["api-key"]
    assert reading.credentials.entries == ()


def test_the_version_of_a_secret_changes_with_its_value_only(tmp_path: Path, reader: FolderReader) -> None:
    def version(text: str) -> str:
        write(tmp_path / "a.yaml", text)
        return reader.read().resources.secrets[0].keys["api-key"]

    first = version(secret(value="one"))
    encoded = base64.b64encode(b"one").decode()
    assert version(secret(value="two")) != first
    assert version(secret(value="one", name="elsewhere")) != first
    assert version(secret().replace("stringData:\n  api-key: s3cret", f"data:\n  api-key: {encoded}")) == first


@pytest.mark.parametrize(
    ("entries", "severity", "words"),
    [
        ("data: {api-key: not base64!}", ProblemSeverity.ERROR, "is not base64"),
        ("stringData: {api-key: 12}", ProblemSeverity.ERROR, "must be text: quote it"),
        ("stringData: [a]", ProblemSeverity.ERROR, "must be a mapping"),
        ("data: {api-key: /w==}", ProblemSeverity.WARNING, "is not UTF-8"),
        ('stringData: {api-key: "a\\n"}', ProblemSeverity.WARNING, "no HTTP header may carry"),
    ],
)
def test_mistakes_in_secrets(
    tmp_path: Path, reader: FolderReader, entries: str, severity: ProblemSeverity, words: str
) -> None:
    write(tmp_path / "a.yaml", secret().split("stringData")[0] + entries)
    (problem,) = reader.read().problems
    assert (problem.reason, problem.severity, problem.line) == (ProblemReason.INVALID_SECRET, severity, 6)
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "line", "severity", "reason", "words"),
    [
        ("kind: A", 1, ProblemSeverity.ERROR, ProblemReason.NOT_AN_OBJECT, "apiVersion is missing"),
        ("apiVersion: v1", 1, ProblemSeverity.ERROR, ProblemReason.NOT_AN_OBJECT, "kind is missing"),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            2,
            ProblemSeverity.NOTE,
            ProblemReason.IGNORED_KIND,
            "apps/v1 Deployment is not used here",
        ),
        ("apiVersion: v1\nkind: Service", 2, ProblemSeverity.NOTE, ProblemReason.IGNORED_KIND, "v1 Service"),
        (
            "apiVersion: fairlead.dev/v1alpha1\nkind: RouterPolicy",
            2,
            ProblemSeverity.ERROR,
            ProblemReason.UNKNOWN_KIND,
            'did you mean "RoutingPolicy"?',
        ),
        (
            "apiVersion: fairlead.dev/v1\nkind: RoutingPolicy",
            1,
            ProblemSeverity.ERROR,
            ProblemReason.UNKNOWN_KIND,
            "write fairlead.dev/v1alpha1",
        ),
        ("apiVersion: v1\nkind: RoutingPolicy", 1, ProblemSeverity.ERROR, ProblemReason.UNKNOWN_KIND, "needs apiVer"),
        ("apiVersion: v1\nkind: Secret", 1, ProblemSeverity.ERROR, ProblemReason.INVALID_METADATA, "metadata"),
        (
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: 12",
            4,
            ProblemSeverity.ERROR,
            ProblemReason.INVALID_METADATA,
            "quote it",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  labels:\n    b: yes",
            6,
            ProblemSeverity.ERROR,
            ProblemReason.INVALID_METADATA,
            "b under labels must be text",
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  creationTimestamp: soon",
            5,
            ProblemSeverity.WARNING,
            ProblemReason.INVALID_METADATA,
            "no instant",
        ),
    ],
)
def test_documents_that_are_no_object_of_ours(
    tmp_path: Path,
    reader: FolderReader,
    text: str,
    line: int,
    severity: ProblemSeverity,
    reason: ProblemReason,
    words: str,
) -> None:
    write(tmp_path / "a.yaml", text)
    reading = reader.read()
    (problem,) = reading.problems
    assert reading.resources.objects == ()
    assert (problem.line, problem.severity, problem.reason) == (line, severity, reason)
    assert words in problem.message

"""A folder of resource files → what the compiler takes, with the place of everything.

Half-written files are normal here: editors write in pieces and people save mistakes. A file that cannot be read keeps
the objects of its last good read; a document with an error of its own keeps only its own; a file that is gone has none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead_cli.files.objects import DeclaredObject, Resource, Secret, namespace_named, read_object
from fairlead_cli.files.positions import Position
from fairlead_cli.files.problems import Problem, ProblemReason, ProblemSeverity
from fairlead_cli.files.scan import Scan, scan
from fairlead_cli.files.yaml_documents import load_documents
from fairlead_cli.files.yaml_text import MAX_FILE_BYTES
from fairlead_contract.snapshot import Credential, Credentials
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.resources import Namespace, Resources, SecretVersions

_NOWHERE = Position(0, 0)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything declared at one moment."""

    resources: Resources
    credentials: Credentials
    problems: tuple[Problem, ...]
    declared: Mapping[ObjectKey, DeclaredObject]
    files: int

    def locate(self, kind: str, namespace: str, name: str, path: str) -> tuple[str, Position]:
        """File and place of a field of an object, or of its nearest parent that was written down."""
        declared = self.declared.get(ObjectKey(kind, "" if kind == "Namespace" else namespace, name))
        return ("", _NOWHERE) if declared is None else (declared.file, declared.position.find(path))


@dataclass(frozen=True, slots=True)
class _Contents:
    """What one file holds, as a pure function of its bytes."""

    digest: bytes
    objects: tuple[DeclaredObject, ...]
    problems: tuple[Problem, ...]
    broken: bool
    incomplete: bool


@dataclass(slots=True)
class _Generation:
    fingerprint: bytes
    number: int
    numbered: dict[str, Any] = field(default_factory=dict)
    """The object with that number; the same one as long as nothing changes, which the compiler rewards."""


def read_bytes(path: str) -> bytes:
    """At most one byte more than allowed. Opens without blocking, should the path have become a pipe meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


@dataclass(slots=True)
class FolderReader:
    """Reads the same files or folders again and again, and remembers what that needs.

    Files are compared by content, not by time stamp: whoever writes twice within one tick of the file system's clock
    leaves no other trace.
    """

    roots: tuple[str, ...]
    default_namespace: str = "default"
    look: Callable[[Iterable[str]], Scan] = scan
    contents: Callable[[str], bytes] = read_bytes
    """Reads one file. Raises ``OSError``."""
    _parsed: dict[str, _Contents] = field(default_factory=dict)
    _last_good: dict[str, tuple[DeclaredObject, ...]] = field(default_factory=dict)
    _generations: dict[ObjectKey, _Generation] = field(default_factory=dict)

    def read(self) -> Reading:
        """What is declared now. Never raises for what is or is not in the files."""
        found = self.look(self.roots)
        problems: list[Problem] = []
        present = [file.path for file in found.files if self._read_file(file.path, problems)]
        known = self._last_good.keys() | self._parsed.keys()
        kept = {path for path in known if any(_is_within(path, place) for place, _ in found.failures)}
        for path, why in found.failures:
            self._failed(path, f"cannot be read: {why}", problems)
        for path in known - kept - set(present):
            self._last_good.pop(path, None)
            self._parsed.pop(path, None)
        return self._assemble(problems, len(present))

    # ------------------------------------------------------------------------------------------ files

    def _read_file(self, path: str, problems: list[Problem]) -> bool:
        """Update what is known of ``path``. Returns whether it exists."""
        try:
            data = self.contents(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._failed(path, f"cannot be read: {error.strerror}", problems)
            return True
        contents = self._contents(path, data)
        before = self._last_good.get(path, ())
        problems.extend(contents.problems)
        if contents.broken:
            if before:
                self._note_kept(path, problems)
            return True
        objects = contents.objects
        if contents.incomplete:
            fresh = {declared.key for declared in objects}
            objects += tuple(declared for declared in before if declared.key not in fresh)
        self._last_good[path] = objects
        return True

    def _contents(self, path: str, data: bytes) -> _Contents:
        digest = hashlib.blake2b(data, digest_size=16).digest()
        known = self._parsed.get(path)
        if known is not None and known.digest == digest:
            return known
        loaded = load_documents(data, path)
        problems = list(loaded.problems)
        read = [read_object(document, path, self.default_namespace, problems) for document in loaded.documents]
        errors = any(problem.severity is ProblemSeverity.ERROR for problem in problems)
        objects = tuple(declared for declared in read if declared is not None)
        contents = _Contents(digest, objects, tuple(problems), loaded.broken, errors)
        self._parsed[path] = contents
        return contents

    def _failed(self, path: str, message: str, problems: list[Problem]) -> None:
        problems.append(Problem(path, 0, 0, ProblemSeverity.ERROR, ProblemReason.UNREADABLE, message))
        if any(_is_within(known, path) for known in self._last_good):
            self._note_kept(path, problems)

    def _note_kept(self, path: str, problems: list[Problem]) -> None:
        message = "its objects stay as they were when it could last be read"
        problems.append(Problem(path, 0, 0, ProblemSeverity.NOTE, ProblemReason.UNREADABLE, message))

    # ------------------------------------------------------------------------------------------ objects

    def _assemble(self, problems: list[Problem], files: int) -> Reading:
        declared: dict[ObjectKey, DeclaredObject] = {}
        for path in sorted(self._last_good):
            for candidate in self._last_good[path]:
                first = declared.setdefault(candidate.key, candidate)
                if first is not candidate:
                    problems.append(_duplicate(first, candidate))
        objects: list[dict[str, Any]] = []
        namespaces: dict[str, Namespace] = {}
        secrets: list[SecretVersions] = []
        credentials: list[Credential] = []
        for key in sorted(declared):
            content = declared[key].content
            if isinstance(content, Resource):
                objects.append(self._with_generation(key, content))
            elif isinstance(content, Secret):
                secrets.append(content.versions)
                credentials.extend(content.credentials)
            else:
                namespaces[content.name] = content
        for key in declared:
            if key.namespace and key.namespace not in namespaces:
                namespaces[key.namespace] = namespace_named(key.namespace, "", 0, {}, {})
        resources = Resources(tuple(objects), tuple(namespaces[name] for name in sorted(namespaces)), tuple(secrets))
        return Reading(resources, Credentials(tuple(credentials)), tuple(sorted(problems)), declared, files)

    def _with_generation(self, key: ObjectKey, content: Resource) -> dict[str, Any]:
        # Counted on even while the object is gone: an equal number must never stand for two contents.
        known = self._generations.setdefault(key, _Generation(b"", 0))
        if known.fingerprint != content.fingerprint:
            known.fingerprint = content.fingerprint
            known.number += 1
            known.numbered = {**content.raw, "metadata": {**content.raw["metadata"], "generation": known.number}}
        return known.numbered


def _duplicate(first: DeclaredObject, other: DeclaredObject) -> Problem:
    kind, namespace, name = other.key
    subject = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    message = (
        f"{subject} is declared already in {first.file}:{first.position.line}; that one counts, this one does not: "
        "remove or rename one of them"
    )
    place = other.position
    return Problem(other.file, place.line, place.column, ProblemSeverity.ERROR, ProblemReason.DUPLICATE_OBJECT, message)


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)

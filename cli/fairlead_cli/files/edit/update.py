"""All changes of one request, tried on the text in memory, judged by the compiler, and only then written: all or nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import yaml

from fairlead_cli.files.compiler import locate
from fairlead_cli.files.edit.models import PricesStand, differing, new_model, position_of, with_model
from fairlead_cli.files.edit.replace import ChangedMeanwhile, replace_files
from fairlead_cli.files.edit.yaml_edits import NotEditable, append_item, child, find_object, set_key
from fairlead_cli.files.objects import DeclaredObject, Resource
from fairlead_cli.files.problems import ProblemSeverity
from fairlead_cli.files.source import FolderReader, Reading, read_bytes
from fairlead_contract.updates import Changed, ModelChange, NotWritten, Written
from fairlead_crds.compile import compile_resources
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.resources import Settings

_KIND = "ModelProvider"
_SHOWN = 10

Remarks = dict[tuple[str, ...], tuple[bool, str]]
"""What is wrong with a folder, by what tells remarks apart (not by place, which an edit moves): an error or not, in words."""


class _Refused(Exception):
    def __init__(self, refusal: NotWritten) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(slots=True)
class FolderUpdate:
    """The changes of one request to one folder. Whoever uses it holds the lock of the folder."""

    folder: str
    settings: Settings
    _read: dict[str, bytes] = field(default_factory=dict)
    """Files as they were."""
    _edited: dict[str, bytes] = field(default_factory=dict)
    """Those that shall be otherwise."""
    _reader: FolderReader = field(init=False)

    def __post_init__(self) -> None:
        # One for all changes: it takes only those files apart again that were edited.
        self._reader = FolderReader((self.folder,), self._namespace, contents=self._contents)

    def apply(self, changes: tuple[ModelChange, ...]) -> Written | NotWritten:
        """Write ``changes``, or say why not. Raises nothing for what is or is not in the folder."""
        try:
            before = self._reader.read()
            known = self._remarks(before)
            changed = tuple(self._change(place, change) for place, change in enumerate(changes))
            if not self._edited:
                return Written(changed=changed)
            new = self._remarks(self._reader.read())
            fresh = [remark for key, remark in new.items() if key not in known]
            if errors := [words for is_error, words in fresh if is_error]:
                more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
                message = f"nothing was written, as the result would not be valid: {'; '.join(errors[:_SHOWN])}{more}"
                return NotWritten(code="invalid_resources", message=message, param="models")
            replace_files({path: (self._read[path], data) for path, data in self._edited.items()})
            return Written(changed=changed, warnings=tuple(words for _, words in fresh))
        except _Refused as refused:
            return refused.refusal
        except ChangedMeanwhile as error:
            return NotWritten(code="not_editable", message=str(error))
        except OSError as error:
            message = (
                f"the folder of resources cannot be written ({error.strerror}); change the files where they come from"
            )
            return NotWritten(code="not_writable", message=message)

    def _contents(self, path: str) -> bytes:
        if path in self._edited:
            return self._edited[path]
        if path not in self._read:
            self._read[path] = read_bytes(path)
        return self._read[path]

    @property
    def _namespace(self) -> str:
        """Of objects that name none."""
        return self.settings.default_namespace or "default"

    def _remarks(self, reading: Reading) -> Remarks:
        remarks: Remarks = {}
        for problem in reading.problems:
            is_error = problem.severity is ProblemSeverity.ERROR
            remarks[problem.file, problem.reason, problem.message] = is_error, problem.message
        for finding in locate(compile_resources(reading.resources, None, self.settings).findings, reading):
            subject = f"{finding.kind} {finding.namespace}/{finding.name} {finding.field}"
            key = (subject, finding.reason, finding.message)
            remarks[key] = finding.severity == "Error", f"{subject}: {finding.message}"
        return remarks

    def _change(self, place: int, change: ModelChange) -> Changed:
        reading = self._reader.read()
        declared = _provider(reading, place, change)
        raw = _raw(declared)
        at = position_of(raw, change.id)
        try:
            fields = new_model(change) if at is None else differing(raw["spec"]["models"][at], change)
        except PricesStand:
            message = (
                f"model {change.id} has prices already, and what was billed is never priced anew: add an entry with its "
                f"effectiveTime under prices in {self._shown(declared.file)}"
            )
            raise _Refused(_not_editable(place, message)) from None
        if fields:
            self._edit(reading, declared, place, at, fields)
        return Changed(
            id=change.id,
            provider=f"{declared.key.namespace}/{declared.key.name}",
            change="added" if at is None else "updated" if fields else "unchanged",
            fields=tuple(fields),
            file=self._shown(declared.file),
        )

    def _edit(
        self, reading: Reading, declared: DeclaredObject, place: int, at: int | None, fields: dict[str, Any]
    ) -> None:
        path, json = declared.file, declared.file.endswith(".json")
        try:
            text = self._contents(path).decode("utf-8-sig")
            if at is None:
                text = append_item(text, self._models(text, declared.key), fields, json=json)
            else:
                for name, value in fields.items():
                    model = self._models(text, declared.key).value[at]
                    if not isinstance(model, yaml.MappingNode):
                        raise NotEditable("the model is written in an unusual way; edit the file by hand")
                    text = set_key(text, model, name, value, json=json)
            self._edited[path] = text.encode()
            if not _as_wanted(self._reader.read(), reading, declared.key, with_model(_raw(declared), at, fields)):
                raise NotEditable(
                    "it would not mean what it should (anchors, merges, odd characters); edit the file by hand"
                )
        except (NotEditable, UnicodeDecodeError) as error:
            message = f"ModelProvider {declared.key.name} in {self._shown(path)} cannot be edited: {error}"
            raise _Refused(_not_editable(place, message)) from error

    def _models(self, text: str, key: ObjectKey) -> yaml.SequenceNode:
        node = find_object(text, key.kind, key.namespace, key.name, self._namespace)
        models = child(child(node, "spec"), "models")
        if not isinstance(models, yaml.SequenceNode):
            raise NotEditable("it has no list of models; write one by hand")
        return models

    def _shown(self, path: str) -> str:
        return os.path.relpath(path, self.folder)


def _provider(reading: Reading, place: int, change: ModelChange) -> DeclaredObject:
    """Raises :class:`_Refused`."""
    namespace, _, name = change.provider.rpartition("/")
    found = [
        declared
        for key, declared in reading.declared.items()
        if key.kind == _KIND and key.name == name and namespace in ("", key.namespace)
    ]
    if len(found) == 1:
        return found[0]
    param = f"models[{place}].provider"
    if found:
        keys = ", ".join(sorted(f"{each.key.namespace}/{each.key.name}" for each in found))
        message = f"provider {change.provider!r} is declared in several namespaces; name one of {keys}"
        raise _Refused(NotWritten(code="provider_ambiguous", message=message, param=param))
    message = (
        f"there is no ModelProvider {change.provider!r}; declare it first, with its type, its address and its credentials: "
        "these cannot be made up here"
    )
    raise _Refused(NotWritten(code="provider_not_found", message=message, param=param))


def _raw(declared: DeclaredObject) -> dict[str, Any]:
    assert isinstance(declared.content, Resource), "a ModelProvider is a resource"
    return declared.content.raw


def _as_wanted(after: Reading, before: Reading, key: ObjectKey, wanted: dict[str, Any]) -> bool:
    """Whether the edit did what it should to the object, and nothing to any other."""
    if after.declared.keys() != before.declared.keys():
        return False
    for other, declared in after.declared.items():
        if other == key:
            if _raw(declared) != wanted:
                return False
        elif declared.content != before.declared[other].content:
            return False
    return True


def _not_editable(place: int, message: str) -> NotWritten:
    return NotWritten(code="not_editable", message=message, param=f"models[{place}]")

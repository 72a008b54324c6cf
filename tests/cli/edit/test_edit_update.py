"""Models changed in resource files: what people wrote around them stays, and nothing is written that would not be valid."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead_cli.files.edit.update import FolderUpdate
from fairlead_cli.files.yaml_documents import LoadedFile, load_documents
from fairlead_contract.updates import ModelChange, NotWritten, Written
from fairlead_crds.compile.resources import Settings

SETTINGS = Settings(frozenset({"default"}), "default", heed_pauses=False)

HEAD = """\
# Ours.
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: openai}  # the provider
spec:
  type: Simulated
"""
BLOCK = (
    HEAD
    + """\
  models:
    # The first.
    - name: one   # small
      displayName: "One"

    - name: two
# The end.
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: other}
spec: {type: Simulated, models: [{name: three}]}
"""
)
FLOW = HEAD + "  models: [{name: one, displayName: One}, {name: two}]\n"
JSON = (
    '{"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "openai"},\n'
    ' "spec": {"type": "Simulated", "models": [{"name": "one", "displayName": "One"}, {"name": "two"}]}}\n'
)
LIST = """\
kind: List
items:
- apiVersion: fairlead.dev/v1alpha1
  kind: ModelProvider
  metadata:
    name: openai
  spec:
    models:
    - name: one
      displayName: One
    - name: two
    type: Simulated
"""
WRITTEN = {"block.yaml": BLOCK, "flow.yaml": FLOW, "object.json": JSON, "list.yml": LIST}


POLICY = """\
---
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: route}
spec:
  targets: [{name: only, modelRef: {providerRef: {name: openai}, model: one}}]
"""


def change(name: str = "new-model", provider: str = "openai", **fields: Any) -> ModelChange:
    return ModelChange(id=name, provider=provider, **fields)


def apply(folder: Path, *changes: ModelChange) -> Written | NotWritten:
    return FolderUpdate(str(folder), SETTINGS).apply(changes)


def models(file: Path) -> list[dict[str, Any]]:
    [document] = [each for each in yaml.safe_load_all(file.read_text()) if "openai" in str(each)]
    found: list[dict[str, Any]] = (document["items"][0] if "items" in document else document)["spec"]["models"]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_model_is_added_to_and_changed_in_every_way_of_writing_a_provider(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(WRITTEN[name])
    result = apply(
        tmp_path,
        change(display_name="New: Model", status="active", capabilities=("Tools", "Vision"), max_output_tokens=7),
        change("one", display_name="Eins", status="inactive"),
        change("two", "default/openai", status="deprecated"),
        change("two", status="deprecated"),
    )
    assert isinstance(result, Written), result
    assert [(each.id, each.change, each.fields, each.file) for each in result.changed] == [
        ("new-model", "added", ("name", "displayName", "capabilities", "maxOutputTokens"), name),
        ("one", "updated", ("displayName", "state"), name),
        ("two", "updated", ("state",), name),
        ("two", "unchanged", (), name),
    ]
    added = {
        "name": "new-model",
        "displayName": "New: Model",
        "capabilities": ["Tools", "Vision"],
        "maxOutputTokens": 7,
    }
    assert models(file) == [
        {"name": "one", "displayName": "Eins", "state": "Inactive"},
        {"name": "two", "state": "Deprecated"},
        added,
    ]


STRINGS = ["y", "1e3", "0o17", "08", "null", "a: b", "# c", "two\nlines", "\u0085", "🦜", "'quoted'", " blank"]


@pytest.mark.parametrize("text", STRINGS, ids=ascii)
@pytest.mark.parametrize("name", ["block.yaml", "flow.yaml"])
def test_text_is_written_so_that_everybody_reads_it_as_text(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(WRITTEN[name])
    result = apply(tmp_path, change(display_name=text), change("one", display_name=text))
    assert isinstance(result, Written), result
    [document, *_] = load_documents((tmp_path / name).read_bytes(), name).documents
    listed = {each["name"]: each["displayName"] for each in document.value["spec"]["models"] if len(each) > 1}
    assert listed == {"one": text, "new-model": text}


WAYS = {
    "a list below its key": "      capabilities:\n        - Tools  # of old\n        - Vision\n",
    "a list beside its key": "      capabilities:\n      - Tools\n      - Vision\n",
    "nothing": "      capabilities:\n",
    "a list on one line": "      capabilities: [Tools,\n        Vision]\n",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_field_is_replaced_however_it_is_written(tmp_path: Path, way: str) -> None:
    file = tmp_path / "provider.yaml"
    file.write_text(HEAD + "  models:\n    - name: one\n" + way + "      displayName: One\n")
    assert isinstance(apply(tmp_path, change("one", capabilities=("Reasoning",))), Written)
    expected = HEAD + "  models:\n    - name: one\n      capabilities: [Reasoning]\n      displayName: One\n"
    assert file.read_text() == expected


def test_json_may_be_indented_with_tabs(tmp_path: Path) -> None:
    file = tmp_path / "provider.json"
    file.write_text(json.dumps(json.loads(JSON), indent="\t"))
    assert isinstance(apply(tmp_path, change(), change("two", status="inactive")), Written)
    assert [each["name"] for each in json.loads(file.read_text())["spec"]["models"]] == ["one", "two", "new-model"]


def test_a_file_is_taken_apart_once_for_each_edit_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def load(data: bytes, file: str) -> LoadedFile:
        taken.append(Path(file).name)
        return load_documents(data, file)

    monkeypatch.setattr("fairlead_cli.files.source.load_documents", load)
    (tmp_path / "block.yaml").write_text(BLOCK)
    (tmp_path / "other.yaml").write_text(TRICKY)
    assert isinstance(apply(tmp_path, *(change(f"new-{number}") for number in range(10))), Written)
    assert (taken.count("block.yaml"), taken.count("other.yaml")) == (11, 1)


def test_what_the_compiler_warns_of_from_now_on_is_in_the_result(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW + POLICY)
    result = apply(tmp_path, change("one", status="deprecated"))
    assert isinstance(result, Written)
    [warning] = result.warnings
    assert "one" in warning
    assert "eprecated" in warning


def test_comments_order_and_other_documents_stay_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "block.yaml"
    file.write_text(BLOCK)
    assert isinstance(apply(tmp_path, change(), change("one", status="inactive")), Written)
    expected = BLOCK.replace('      displayName: "One"\n', '      displayName: "One"\n      state: Inactive\n')
    assert file.read_text() == expected.replace("    - name: two\n", "    - name: two\n    - {name: new-model}\n")


def test_a_file_keeps_its_mode_its_links_and_its_line_ends(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "provider.txt"
    real.write_bytes(FLOW.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    folder = tmp_path / "resources"
    folder.mkdir()
    (folder / "provider.yaml").symlink_to(real)
    assert isinstance(apply(folder, change("one", status="inactive")), Written)
    assert (folder / "provider.yaml").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes().count(b"\r\n") == FLOW.count("\n")
    assert os.listdir(real.parent) == ["provider.txt"]


def test_nothing_to_change_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW)
    before = file.stat().st_ino
    result = apply(tmp_path, change("one", display_name="One", status="active", type="Chat"))
    assert isinstance(result, Written)
    assert [each.change for each in result.changed] == ["unchanged"]
    assert file.stat().st_ino == before


def test_prices_come_with_a_new_model_and_never_change_afterwards(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    priced = change(input_usd_per_million_tokens="0.5", output_usd_per_million_tokens="1.5")
    assert isinstance(apply(tmp_path, priced), Written)
    price = {"inputUSDPerMillionTokens": "0.5", "outputUSDPerMillionTokens": "1.5"}
    assert models(tmp_path / "flow.yaml")[-1]["prices"] == [price]
    again = apply(tmp_path, priced)
    assert isinstance(again, Written)
    assert again.changed[0].change == "unchanged"
    refused = apply(tmp_path, change(input_usd_per_million_tokens="9", output_usd_per_million_tokens="9"))
    assert isinstance(refused, NotWritten)
    assert (refused.code, refused.param) == ("not_editable", "models[0]")
    assert "effectiveTime" in refused.message


REFUSED: list[tuple[str, ModelChange, str, str]] = [
    ("no such provider", change(provider="nobody"), "provider_not_found", "declare it first"),
    ("no such namespace", change(provider="a/openai"), "provider_not_found", "declare it first"),
    ("twice declared", change(provider="twin"), "provider_ambiguous", "a/twin, b/twin"),
    ("a name that no model may have", change("auto"), "invalid_resources", "pick another name"),
    ("an unknown capability", change(capabilities=("Levitation",)), "invalid_resources", "Levitation"),
    ("half a price", change(input_usd_per_million_tokens="1"), "invalid_resources", "outputUSDPerMillionTokens"),
    ("anchors", change("two", "anchored", status="inactive"), "not_editable", "by hand"),
]
TRICKY = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: twin, namespace: a}
spec: {type: Simulated, models: [{name: m}]}
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: twin, namespace: b}
spec: {type: Simulated, models: [{name: m}]}
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: anchored}
spec:
  type: Simulated
  models:
    - &base {name: one, type: Chat}
    - {<<: *base, name: two, state: &state Active}
    - {name: three, state: *state}
"""


@pytest.mark.parametrize(("asked", "code", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_one_change_that_cannot_be_made_leaves_all_files_alone(
    tmp_path: Path, asked: ModelChange, code: str, says: str
) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "tricky.yaml").write_text(TRICKY)
    before = contents(tmp_path)
    result = apply(tmp_path, change("fine"), asked)
    assert isinstance(result, NotWritten), result
    assert (result.code, says in result.message) == (code, True), result
    assert contents(tmp_path) == before


def test_what_is_wrong_already_does_not_stop_a_change_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "broken.yaml").write_text("kind: [")
    assert isinstance(apply(tmp_path, change()), Written)

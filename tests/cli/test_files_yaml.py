"""Text of files → documents, problems and places."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_cli.files.problems import ProblemReason, ProblemSeverity
from fairlead_cli.files.yaml_documents import MAX_DEPTH, LoadedFile, load_documents
from fairlead_cli.files.yaml_text import MAX_FILE_BYTES


def load(text: str | bytes, file: str = "a.yaml") -> LoadedFile:
    return load_documents(text.encode() if isinstance(text, str) else text, file)


def value_of(text: str) -> object:
    loaded = load(f"value: {text}")
    assert loaded.problems == ()
    return loaded.documents[0].value["value"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("On", True),
        ("TRUE", True),
        ("y", True),
        ("no", False),
        ("off", False),
        ("N", False),
        ("'yes'", "yes"),
        ('"no"', "no"),
        ("!!str yes", "yes"),
        ("! yes", "yes"),
        ("nope", "nope"),
        ("", None),
        ("~", None),
        ("Null", None),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("1_000", 1000),
        ("017", 15),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("08", 8.0),
        ("0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("12:30:45", "12:30:45"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("1.2.3", "1.2.3"),
        ("9" * 5000, "9" * 5000),
        ("!!int 0x10", 16),
        ("!!float 3", 3),
        ("[a, 1, {b: c}]", ["a", 1, {"b": "c"}]),
        ("|\n  two\n  lines", "two\nlines"),
    ],
)
def test_values_mean_what_they_mean_to_kubectl(text: str, value: object) -> None:
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "reading"),
    [
        ("on", "read this key as `true`"),
        ("Yes", "read this key as `true`"),
        ("y", "read this key as `true`"),
        ("off", "read this key as `false`"),
        ("n", "read this key as `false`"),
        ("0x10", "read this key as `16`"),
        ("1_0", "read this key as `10`"),
        ("~", "refuse this key"),
    ],
)
def test_an_unquoted_key_keeps_its_text_and_a_warning_says_what_kubectl_would_do(key: str, reading: str) -> None:
    loaded = load(f"spec:\n  {key}: x\n")
    assert loaded.documents[0].value == {"spec": {key: "x"}}
    (problem,) = loaded.problems
    assert (problem.line, problem.column) == (2, 3)
    assert problem.severity is ProblemSeverity.WARNING
    assert problem.reason is ProblemReason.AMBIGUOUS_KEY
    assert problem.message == f'kubectl would {reading}; quote it: "{key}"'


@pytest.mark.parametrize("key", ["'on'", '"yes"', "name", "true", "12", "onward"])
def test_a_key_that_means_the_same_everywhere_earns_no_warning(key: str) -> None:
    assert load(f"{key}: x").problems == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "reason", "words"),
    [
        ("a: [1", 2, 1, ProblemReason.SYNTAX, "flow sequence"),
        ("a: 'x\nb: 1", 2, 5, ProblemReason.SYNTAX, "quoted scalar"),
        ("a:\n\t- b", 2, 1, ProblemReason.SYNTAX, "use spaces"),
        ("a: 1\n\tb: 2", 2, 1, ProblemReason.SYNTAX, "tab"),
        ("a: \x00", 1, 4, ProblemReason.SYNTAX, "not allowed"),
        ("a: *x", 1, 4, ProblemReason.SYNTAX, "*x refers to an anchor that is not defined"),
        ("a: &x [*x]", 1, 8, ProblemReason.SYNTAX, "not defined before"),
        ("a: 1\n---\n" + "[" * 200, 3, MAX_DEPTH + 2, ProblemReason.LIMIT_EXCEEDED, "100 levels"),
        (b"a: \xff", 1, 4, ProblemReason.ENCODING, "not UTF-8 (byte 0xff)"),
        ("a: é\nb: ".encode() + b"\xc3(", 2, 4, ProblemReason.ENCODING, "not UTF-8"),
        ("a: 1".encode("utf-16"), 1, 1, ProblemReason.ENCODING, "UTF-16"),
        (b"#" * (MAX_FILE_BYTES + 1), 0, 0, ProblemReason.LIMIT_EXCEEDED, "10 MiB"),
        ("%YAML 3.0\n---\na: 1", 1, 1, ProblemReason.SYNTAX, "incompatible"),
    ],
)
def test_text_that_cannot_be_understood_breaks_the_file(
    text: str | bytes, line: int, column: int, reason: ProblemReason, words: str
) -> None:
    loaded = load(text)
    (problem,) = loaded.problems
    assert loaded.broken
    assert (problem.line, problem.column, problem.reason) == (line, column, reason)
    assert problem.severity is ProblemSeverity.ERROR
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "line", "column", "reason", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, ProblemReason.DUPLICATE_KEY, 'the key "a" is here twice; first in line 1'),
        ("a: .nan", 1, 4, ProblemReason.UNSUPPORTED_VALUE, ".nan is no number that JSON can hold"),
        ("a: -.inf", 1, 4, ProblemReason.UNSUPPORTED_VALUE, "no number"),
        ("a: 1e999", 1, 4, ProblemReason.UNSUPPORTED_VALUE, "no number"),
        ("a: 0x" + "f" * 390, 1, 4, ProblemReason.UNSUPPORTED_VALUE, "no number"),
        ("a: !secret x", 1, 4, ProblemReason.UNSUPPORTED_VALUE, "the tag !secret is not supported"),
        ("a: !!int x", 1, 4, ProblemReason.UNSUPPORTED_VALUE, '"x" is no !!int'),
        ("a: !!set {x}", 1, 4, ProblemReason.UNSUPPORTED_VALUE, "the tag !!set is not supported"),
        ("? [a]\n: b", 1, 3, ProblemReason.UNSUPPORTED_VALUE, "a key must be text, this is a list"),
        ("? \n: b", 1, 2, ProblemReason.SYNTAX, "a key is missing"),
        ("- a", 1, 1, ProblemReason.NOT_AN_OBJECT, "this one is a list"),
        ("just words", 1, 1, ProblemReason.NOT_AN_OBJECT, "this one is text"),
        ("kind: List\nitems: [{a: 1}, 3]", 2, 17, ProblemReason.NOT_AN_OBJECT, "this one is a number"),
        ("kind: List\nitems: {}", 2, 1, ProblemReason.NOT_AN_OBJECT, "must be a list"),
        ("a: {<<: 3}", 1, 9, ProblemReason.SYNTAX, "takes a mapping"),
    ],
)
def test_a_document_with_an_error_is_refused_and_its_neighbours_are_not(
    text: str, line: int, column: int, reason: ProblemReason, words: str
) -> None:
    loaded = load(f"{text}\n---\nfine: 1\n")
    (problem,) = loaded.problems
    assert [document.value for document in loaded.documents] == [{"fine": 1}]
    assert not loaded.broken
    assert (problem.line, problem.column, problem.reason) == (line, column, reason)
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("# only words\n", []),
        ("---\n---\na: 1\n---\n", [{"a": 1}]),
        ("a: 1\n---\nb: 2\n...\n---\nc: 3", [{"a": 1}, {"b": 2}, {"c": 3}]),
        ("\ufeffa: 1", [{"a": 1}]),
        ("kind: List\nitems:\n- a: 1\n- b: 2\n", [{"a": 1}, {"b": 2}]),
        ("kind: List\nitems: []", []),
        ("kind: List", []),
        ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3", [{"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}]),
        ("a: &k b\n*k : c", [{"a": "b", "b": "c"}]),
    ],
)
def test_documents_of_a_file(text: str, values: list[object]) -> None:
    loaded = load(text)
    assert [document.value for document in loaded.documents] == values
    assert loaded.problems == ()


def test_aliases_of_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (problem,) = load("\n".join(lines)).problems
    assert problem.reason is ProblemReason.LIMIT_EXCEEDED
    assert "aliases" in problem.message


def test_aliases_cannot_nest_deeper_than_text_may() -> None:
    lines = ["- &a0 [x]"] + [f"- &a{i} [*a{i - 1}]" for i in range(1, 300)]
    (problem,) = load("\n".join(lines)).problems
    assert (problem.reason, problem.line) == (ProblemReason.LIMIT_EXCEEDED, MAX_DEPTH)


def test_json_files_may_escape_characters_beyond_the_basic_plane() -> None:
    value = {"name": "🚀", "path": "c:\\ud83d\\ude80"}
    assert load(json.dumps(value), "a.json").documents[0].value == value


DOCUMENT = """\
# a comment
kind: RoutingPolicy
metadata:
  name: chat
  annotations:
    fairlead.dev/note: x
spec:
  targets:
    - name: main
      modelRef: {providerRef: {name: openai}, model: gpt}
    -
      name: other
"""


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ("", 2, 1),
        ("kind", 2, 1),
        ("spec", 7, 1),
        ("spec.targets", 8, 3),
        ("spec.targets[0]", 9, 7),
        ("spec.targets[0].name", 9, 7),
        ("spec.targets[0].modelRef.model", 10, 47),
        ("spec.targets[1].name", 12, 7),
        ("spec.targets[1].modelRef.model", 12, 7),
        ("spec.targets[7]", 8, 3),
        ("spec.targets[99999999999999]", 8, 3),
        ("spec.canary.weightPercent", 7, 1),
        ("metadata.annotations.fairlead.dev/note", 6, 5),
        ("metadata.annotations[fairlead.dev/note]", 6, 5),
        ('metadata.annotations["fairlead.dev/note"]', 6, 5),
        ("nothing.like[that]", 2, 1),
    ],
)
def test_the_place_of_a_field_is_that_of_its_nearest_written_parent(path: str, line: int, column: int) -> None:
    place = load(DOCUMENT).documents[0].position.find(path)
    assert (place.line, place.column) == (line, column)


def test_a_field_behind_an_alias_stands_where_it_was_written() -> None:
    position = load("a: &x\n  b: 1\nc: *x\n").documents[0].position
    assert (position.find("c").line, position.find("c.b").line) == (3, 2)


@given(st.text() | st.text(alphabet="ab:-?[]{}&*!|>'\"%#@, \n\t~.0123<"))
def test_no_text_raises(text: str) -> None:
    loaded = load(text.encode("utf-8", "surrogatepass"))
    for document in loaded.documents:
        json.dumps(document.value, allow_nan=False)
        msgspec.json.encode(document.value)


@given(st.binary())
def test_no_bytes_raise(data: bytes) -> None:
    load(data, "a.json")


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=50),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1, max_size=50), inner),
            max_leaves=10,
        ),
    ).filter(lambda value: value.get("kind") != "List")
)
def test_json_is_read_as_json(value: dict[str, object]) -> None:
    loaded = load(json.dumps(value), "a.json")
    assert loaded.problems == ()
    assert [document.value for document in loaded.documents] == [value]

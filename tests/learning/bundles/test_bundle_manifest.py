"""Canonical form, digests, self-tests and signatures."""

import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.manifest import (
    MANIFEST,
    BundleKind,
    Features,
    File,
    Manifest,
    Origin,
    SelfTest,
    canonical,
    decode,
    digest,
    encode,
)
from fairlead_learning.bundles.signature import KeyFileError, check_signature, sign
from fairlead_learning.bundles.verify import check_self_tests, verify
from fairlead_learning.bundles.write import write_manifest
from tests.learning.bundles.made import make, manifest_of

words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,10}", fullmatch=True)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_objects = st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5)))
sha256s = st.from_regex("[0-9a-f]{64}", fullmatch=True)
manifests = st.builds(
    Manifest,
    schema_version=st.just(1),
    kind=st.sampled_from(BundleKind),
    name=words,
    version=words,
    licence=st.text(max_size=10),
    origin=st.builds(Origin, command=st.text(max_size=10), data=st.dictionaries(words, sha256s, max_size=2)),
    parameters=json_objects,
    features=st.one_of(st.none(), st.builds(Features.of, st.lists(words, max_size=3).map(tuple))),
    labels=st.lists(words, max_size=3).map(tuple),
    metrics=json_objects,
    files=st.lists(st.builds(File, path=words, size=st.integers(0, 2**40), sha256=sha256s), min_size=1, max_size=2).map(
        tuple
    ),
    self_tests=st.lists(
        st.builds(SelfTest, text=st.text(max_size=5), expected=st.lists(numbers, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
)


@given(manifests)
def test_a_manifest_comes_back_with_its_digest(manifest: Manifest) -> None:
    again = decode(encode(manifest))
    assert again == manifest
    assert canonical(again) == canonical(manifest)


@given(manifests, manifests)
def test_different_manifests_have_different_digests(one: Manifest, other: Manifest) -> None:
    assert (digest(one) == digest(other)) == (canonical(one) == canonical(other))


def test_the_digest_is_of_the_content_and_not_of_its_form() -> None:
    manifest = manifest_of()
    shuffled = dict(reversed(msgspec.to_builtins(manifest).items()))
    assert digest(decode(msgspec.json.encode(shuffled))) == digest(manifest)


def test_the_digest_changes_with_any_file() -> None:
    assert digest(manifest_of({"a.txt": b"1"})) != digest(manifest_of({"a.txt": b"2"}))


def test_the_order_of_features_is_part_of_their_digest() -> None:
    assert Features.of(("a", "b")) != Features.of(("b", "a"))
    assert Features.of(("a", "b")).digest != Features.of(("ab",)).digest


SELF_TESTS = [
    ("the same", SelfTest(text="t", label="chat", expected=(0.5, 0.5)), None),
    ("no label is asked", SelfTest(text="t", expected=(0.5,)), None),
    ("near enough", SelfTest(text="t", expected=(0.49,), tolerance=0.011), None),
    ("too far", SelfTest(text="t", expected=(0.5, 0.4), tolerance=0.05), "number 1 is 0.5 instead of 0.4"),
    ("another label", SelfTest(text="t", label="math"), "the label is 'chat' instead of 'math'"),
    ("nothing is expected", SelfTest(text="t"), "it expects nothing"),
    ("too short", SelfTest(text="t", expected=(0.5, 0.5, 0.5)), "2 numbers instead of at least 3"),
]


@pytest.mark.parametrize(("name", "test", "problem"), SELF_TESTS, ids=[case[0] for case in SELF_TESTS])
def test_a_self_test_compares_label_and_numbers(name: str, test: SelfTest, problem: str | None, tmp_path: Path) -> None:
    bundle = make(tmp_path / "b", self_tests=(test,))
    if problem is None:
        check_self_tests(bundle, lambda text: ("chat", (0.5, 0.5)))
    else:
        with pytest.raises(BundleError, match=f"self-test 1 fails: {problem}"):
            check_self_tests(bundle, lambda text: ("chat", (0.5, 0.5)))


def test_what_is_not_a_number_fails_a_self_test(tmp_path: Path) -> None:
    bundle = make(tmp_path / "b", self_tests=(SelfTest(text="t", expected=(0.5,), tolerance=1.0),))
    with pytest.raises(BundleError, match="self-test 1 fails"):
        check_self_tests(bundle, lambda text: (None, (float("nan"),)))


def test_a_model_that_cannot_answer_fails_its_self_tests(tmp_path: Path) -> None:
    def answer(text: str) -> tuple[str | None, tuple[float, ...]]:
        raise RuntimeError("index 9 is out of range")

    bundle = make(tmp_path / "b", self_tests=(SelfTest(text="t", label="chat"),))
    with pytest.raises(BundleError, match="self-test 1 fails: the model cannot answer: index 9 is out of range"):
        check_self_tests(bundle, answer)


def test_a_bundle_without_self_tests_cannot_pass_them(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no self-tests"):
        check_self_tests(make(tmp_path / "b"), lambda text: (None, ()))


def test_right_digests_do_not_make_a_model(tmp_path: Path) -> None:
    make(tmp_path / "b")
    with pytest.raises(BundleError, match="parameters that no encoder has"):
        verify(tmp_path / "b")


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return key_pair(tmp_path, "release")


def key_pair(folder: Path, name: str, algorithm: str = "ed25519") -> tuple[Path, Path]:
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", algorithm, "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


def test_a_signature_is_recognised_and_leaves_the_digest_alone(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    bundle = make(tmp_path / "b")
    write_manifest(bundle.folder, sign(bundle.manifest, keys[0]))
    signed = digest_if_signed(tmp_path / "b", keys[1])
    assert signed == bundle.digest


def digest_if_signed(folder: Path, public: Path) -> str:
    bundle = Bundle.open(folder)
    check_signature(bundle, public)
    return bundle.digest


def test_a_signature_by_somebody_else_is_refused(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    bundle = make(tmp_path / "b")
    write_manifest(bundle.folder, sign(bundle.manifest, key_pair(tmp_path, "other")[0]))
    with pytest.raises(BundleError, match=r"is not by .*release\.pub"):
        digest_if_signed(tmp_path / "b", keys[1])


def test_a_signature_does_not_cover_a_changed_manifest(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    bundle = make(tmp_path / "b")
    signed = sign(bundle.manifest, keys[0])
    write_manifest(bundle.folder, msgspec.structs.replace(signed, metrics={"accuracy": 1.0}))
    with pytest.raises(BundleError, match="the manifest was changed"):
        digest_if_signed(tmp_path / "b", keys[1])


def test_a_signature_that_is_no_base64_is_refused(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    bundle = make(tmp_path / "b")
    signed = sign(bundle.manifest, keys[0])
    assert signed.signature is not None
    broken = msgspec.structs.replace(signed.signature, value="ä" + signed.signature.value[1:])
    write_manifest(bundle.folder, msgspec.structs.replace(signed, signature=broken))
    with pytest.raises(BundleError, match=MANIFEST):
        digest_if_signed(tmp_path / "b", keys[1])


def test_an_unsigned_bundle_is_refused_where_a_key_is_given(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    make(tmp_path / "b")
    with pytest.raises(BundleError, match="is not signed"):
        digest_if_signed(tmp_path / "b", keys[1])


def test_keys_that_are_none_are_named(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    bundle = make(tmp_path / "b")
    other_private, other_public = key_pair(tmp_path, "x25519", "x25519")
    for file in (tmp_path / "absent.pem", keys[1], other_private):
        with pytest.raises(KeyFileError, match=file.name):
            sign(bundle.manifest, file)
    write_manifest(bundle.folder, sign(bundle.manifest, keys[0]))
    for file in (tmp_path / "absent.pub", keys[0], other_public):
        with pytest.raises(KeyFileError, match=file.name):
            digest_if_signed(tmp_path / "b", file)

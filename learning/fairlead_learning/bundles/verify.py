"""Whether a bundle may be used: names, sizes, digests, and that it still says what it said when it was made."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.manifest import BundleKind, SelfTest

# Where the class is that opens a bundle of a kind. By name: the store and the command line need not load what runs models.
_OPENERS = {
    BundleKind.ENCODER: ("fairlead_learning.encoder.runtime", "Encoder"),
    BundleKind.CLASSIFIER: ("fairlead_learning.learned", "LearnedClassifier"),
}


class _Opener(Protocol):
    def open(self, folder: Path, *, threads: int = 1) -> object: ...


def verify_files(folder: Path) -> Bundle:
    """The bundle, if every file is what the manifest says. Raises :class:`BundleError`."""
    bundle = Bundle.open(folder)
    bundle.read_all()
    return bundle


def verify(folder: Path) -> Bundle:
    """:func:`verify_files`, and the model is loaded and passes its self-tests. Blocks for up to a second.

    Raises :class:`BundleError`, also where the packages that run models are not installed.
    """
    bundle = verify_files(folder)
    module, name = _OPENERS[bundle.manifest.kind]
    try:
        opener = cast(_Opener, getattr(import_module(module), name))
    except ImportError as error:
        raise BundleError(
            folder,
            f"cannot be tried, as {error.name} is not installed",
            mend="install fairlead with its extra `classifier`",
        ) from error
    opener.open(folder)
    return bundle


def check_self_tests(bundle: Bundle, answer: Callable[[str], tuple[str | None, tuple[float, ...]]]) -> None:
    """Compare what the loaded model says with what the manifest expects.

    ``answer`` gives label (``None`` where there are no labels) and numbers for a text. Raises :class:`BundleError` at the
    first difference, if the model cannot answer, and if there is nothing to compare.
    """
    if not bundle.manifest.self_tests:
        raise BundleError(
            bundle.folder, "has no self-tests", file="manifest.json", mend="make it with a `fairlead` that writes them"
        )
    for number, test in enumerate(bundle.manifest.self_tests, start=1):
        try:
            problem = _difference(test, *answer(test.text))
        except Exception as error:  # noqa: BLE001 - a model that does not fit its manifest fails in any way
            problem = f"the model cannot answer: {error}"
        if problem is not None:
            raise BundleError(
                bundle.folder,
                f"self-test {number} fails: {problem}",
                mend="make the bundle again on this kind of machine, with the packages that are installed here",
            )


def _difference(test: SelfTest, label: str | None, numbers: tuple[float, ...]) -> str | None:
    if test.label is None and not test.expected:
        return "it expects nothing"
    if test.label is not None and label != test.label:
        return f"the label is {label!r} instead of {test.label!r}"
    if len(numbers) < len(test.expected):
        return f"{len(numbers)} numbers instead of at least {len(test.expected)}"
    for index, (found, expected) in enumerate(zip(numbers, test.expected, strict=False)):
        # So written that what is not a number fails.
        if not abs(found - expected) <= test.tolerance:
            return f"number {index} is {found:.6g} instead of {expected:.6g}, more than {test.tolerance:g} apart"
    return None

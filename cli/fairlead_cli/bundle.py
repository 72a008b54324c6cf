"""``fairlead bundle``: make an encoder, check bundles, and keep versions of them in a store."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.signature import KeyFileError, check_signature, sign
from fairlead_learning.bundles.store import BundleStore, Version
from fairlead_learning.bundles.verify import verify
from fairlead_learning.bundles.write import write_manifest

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

OK, FAILED, USAGE = 0, 1, 2

_STORE = "FAIRLEAD_CLASSIFIER_BUNDLES_DIR"


class _UsageError(ValueError):
    """Words that are understood and cannot be obeyed."""


class _MissingExtraError(RuntimeError):
    """A package is not installed."""


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command and its own."""
    parser = subparsers.add_parser(
        "bundle",
        description="Make an encoder, check bundles, and keep versions of them in a store.",
        epilog="exit status: 0 done, 1 a bundle is refused or something failed, 2 wrong usage",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    encoder = _action(
        actions, "encoder", "export a sentence-transformers model to ONNX with 8-bit weights (extra `train`)"
    )
    encoder.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the bundle")
    encoder.add_argument(
        "--model",
        default="all-MiniLM-L6-v2",
        metavar="NAME",
        help="folder, or name that sentence-transformers knows (default: %(default)s, out of a package)",
    )
    encoder.add_argument("--version", default="1", help="of the bundle (default: %(default)s)")
    encoder.add_argument(
        "--max-tokens",
        type=int,
        default=128,
        metavar="N",
        help="of longer texts, head and tail are read (default: %(default)s)",
    )

    verifying = _action(actions, "verify", "check files and digests, load the model, run its self-tests")
    verifying.add_argument("bundle", type=Path, metavar="DIR")
    _add_key(verifying)

    signing = _action(actions, "sign", "sign a bundle with an Ed25519 key")
    signing.add_argument("bundle", type=Path, metavar="DIR")
    signing.add_argument("--key", required=True, type=Path, metavar="FILE", help="private key in PEM")

    _add_store(_action(actions, "list", "list the versions in a store, the newest first"))
    install = _action(actions, "install", "copy a bundle into a store, after checking it")
    install.add_argument("bundle", type=Path, metavar="DIR")
    install.add_argument("--activate", action="store_true", help="put it in force as well")
    _add_key(install)
    _add_store(install)
    activate = _action(actions, "activate", "put an installed version in force")
    activate.add_argument("version", help="its name, or a beginning that no other has")
    _add_store(activate)
    _add_store(_action(actions, "rollback", "put the version in force that was before"))
    prune = _action(actions, "prune", "remove old versions; the current one and the one before stay")
    prune.add_argument(
        "--keep", type=int, default=3, metavar="N", help="newest installations to keep (default: %(default)s)"
    )
    _add_store(prune)


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked and print. Returns the exit status."""
    try:
        answer, words = _ACTIONS[arguments.action](arguments)
    except (_UsageError, KeyFileError) as error:
        return _complain(str(error), USAGE)
    except (BundleError, _MissingExtraError, OSError) as error:
        return _complain(str(error), FAILED)
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    else:
        print(words)
    return OK


def _encoder(arguments: argparse.Namespace) -> tuple[object, str]:
    if not 8 <= arguments.max_tokens <= 8192:
        raise _UsageError(f"--max-tokens takes 8 to 8192, not {arguments.max_tokens}")
    try:
        import onnx  # noqa: F401 - asked before PyTorch is loaded, which takes seconds
        import sentence_transformers  # noqa: F401

        from fairlead_learning.train.bert.shape import UnsupportedModelError
        from fairlead_learning.train.encoder import make_encoder
    except ModuleNotFoundError as error:
        raise _MissingExtraError(
            f"{error.name} is not installed: making encoders needs the extra `train` (pip install 'fairlead[train]'); "
            "in the repository, `scripts/environment train` makes .venv-train, which has it"
        ) from error
    try:
        bundle = make_encoder(
            arguments.model, arguments.out, version=arguments.version, max_tokens=arguments.max_tokens
        )
    except UnsupportedModelError as error:
        raise BundleError(arguments.model, str(error), mend="name a model that is supported") from error
    return _told(bundle)


def _verify(arguments: argparse.Namespace) -> tuple[object, str]:
    bundle = verify(arguments.bundle)
    _acceptance(arguments)(bundle)
    return _told(bundle)


def _sign(arguments: argparse.Namespace) -> tuple[object, str]:
    bundle = Bundle.open(arguments.bundle)
    write_manifest(bundle.folder, sign(bundle.manifest, arguments.key))
    return _told(Bundle.open(arguments.bundle))


def _list(arguments: argparse.Namespace) -> tuple[object, str]:
    versions = _store(arguments).versions()
    return versions, "\n".join(map(_line, versions)) or "no versions; `fairlead bundle install DIR` adds one"


def _install(arguments: argparse.Namespace) -> tuple[object, str]:
    store = _store(arguments)
    version = store.install(arguments.bundle, _acceptance(arguments))
    if arguments.activate:
        version = store.activate(version.name)
    return version, _line(version)


def _activate(arguments: argparse.Namespace) -> tuple[object, str]:
    version = _store(arguments).activate(arguments.version)
    return version, _line(version)


def _rollback(arguments: argparse.Namespace) -> tuple[object, str]:
    version = _store(arguments).rollback()
    return version, _line(version)


def _prune(arguments: argparse.Namespace) -> tuple[object, str]:
    if arguments.keep < 0:
        raise _UsageError(f"--keep takes 0 or more, not {arguments.keep}")
    gone = _store(arguments).prune(arguments.keep)
    return {"removed": gone}, "\n".join(f"removed {name}" for name in gone) or "nothing to remove"


_ACTIONS: dict[str, Callable[[argparse.Namespace], tuple[object, str]]] = {
    "encoder": _encoder,
    "verify": _verify,
    "sign": _sign,
    "list": _list,
    "install": _install,
    "activate": _activate,
    "rollback": _rollback,
    "prune": _prune,
}
"""Each returns what ``--json`` prints, and the same in words."""


def _action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help=f"folder of versions that routers follow (default: ${_STORE})"
    )


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="refuse the bundle unless it is signed with this Ed25519 key (PEM)",
    )


def _store(arguments: argparse.Namespace) -> BundleStore:
    given = arguments.store or (Path(os.environ[_STORE]) if os.environ.get(_STORE) else None)
    if given is None:
        raise _UsageError(f"no store is named: give --store DIR, or set {_STORE}")
    return BundleStore(given)


def _acceptance(arguments: argparse.Namespace) -> Callable[[Bundle], None]:
    key: Path | None = arguments.public_key
    if key is None:
        return lambda bundle: None
    return lambda bundle: check_signature(bundle, key)


def _told(bundle: Bundle) -> tuple[object, str]:
    manifest = bundle.manifest
    answer = {
        "kind": manifest.kind,
        "bundle": manifest.name,
        "version": manifest.version,
        "digest": bundle.digest,
        "signed": manifest.signature is not None,
        "bytes": sum(file.size for file in manifest.files),
        "metrics": manifest.metrics,
    }
    return answer, (
        f"{bundle.folder}: {manifest.kind} {manifest.name} {manifest.version}, {len(manifest.files)} files, "
        f"{answer['bytes']:,} bytes, digest {bundle.digest}{', signed' if manifest.signature else ''}"
    )


def _line(version: Version) -> str:
    mark = "*" if version.current else " "
    if version.problem is not None:
        return f"{mark} {version.name}  cannot be used: {version.problem}"
    return f"{mark} {version.name}  {version.kind} {version.bundle}{', signed' if version.signed else ''}"


def _complain(message: str, status: int) -> int:
    print(f"fairlead bundle: {message}", file=sys.stderr)
    return status

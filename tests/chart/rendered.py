"""What the chart renders for each set of values, kept beside the tests so that a review sees what a change of a template does.

python -m tests.chart.rendered     # writes them anew
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import Helm, make_helm
from tests.chart.value_sets import VALUE_SETS

_FOLDER = Path(__file__).with_name("snapshots")


async def snapshot(helm: Helm, name: str) -> str:
    """All objects but the CRDs, in the order of Helm; what is drawn at random is left out."""
    objects = await helm.render(VALUE_SETS[name])
    kept = [_settled(each) for each in objects if each["kind"] != "CustomResourceDefinition"]
    header = f"# Written by `python -m tests.chart.rendered` for the values {name!r} of value_sets.py.\n---\n"
    return header + yaml.dump_all(kept, Dumper=_Dumper, sort_keys=False, width=160)


def path_of(name: str) -> Path:
    """Where it is kept."""
    return _FOLDER / f"{name}.yaml"


def _settled(made: dict[str, Any]) -> dict[str, Any]:
    if made["kind"] == "Secret" and "data" in made:
        return made | {"data": dict.fromkeys(made["data"], "RANDOM")}
    return made


class _Dumper(yaml.SafeDumper):
    """Writes repeated parts in full, and text of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


async def _write() -> None:
    with tempfile.TemporaryDirectory() as directory:
        helm = make_helm(Path(directory))
        texts = {name: await snapshot(helm, name) for name in VALUE_SETS}
    _FOLDER.mkdir(exist_ok=True)
    for left in _FOLDER.glob("*.yaml"):
        if left.stem not in texts:
            left.unlink()
    for name, text in texts.items():
        path_of(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_write())
    sys.exit(0)

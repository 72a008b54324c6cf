"""``python naive_operator.py KUBECONFIG FILE``: what one writes after reading Kopf's tutorial, to show what its defaults do.

It listens to ModelProviders and keeps them in an index, with no setting changed. ``FILE`` always holds, as JSON, what it has
heard of (``heard``) and what its index holds (``index``).
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import kopf
import yaml

heard: list[str] = []


@kopf.on.login()
def login(**_: Any) -> kopf.ConnectionInfo:
    config = yaml.safe_load(Path(sys.argv[1]).read_text())
    return kopf.ConnectionInfo(
        server=config["clusters"][0]["cluster"]["server"], token=config["users"][0]["user"]["token"]
    )


@kopf.index("fairlead.dev", "v1alpha1", "modelproviders")
async def known_providers(name: str, **_: Any) -> Any:
    return {name: True}


@kopf.on.event("fairlead.dev", "v1alpha1", "modelproviders")
async def hear(name: str, **_: Any) -> None:
    heard.append(name)


@kopf.on.startup()
async def show(known_providers: kopf.Index[str, bool], memo: Any, **_: Any) -> None:
    memo.showing = asyncio.create_task(_show(known_providers))


async def _show(known_providers: kopf.Index[str, bool]) -> None:
    path = Path(sys.argv[2])
    while True:
        text = json.dumps({"heard": sorted(set(heard)), "index": sorted(known_providers)})
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(kopf.operator(clusterwide=True, standalone=True))

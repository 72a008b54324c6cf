"""What a router that classifies nothing does not pay for."""

from __future__ import annotations

import subprocess
import sys

ROUTER = """
import asyncio, sys
from fairlead_router.server import running_router
from fairlead_router.settings import Settings

async def main():
    async with running_router(Settings(host="127.0.0.1", port=0, admin_port=0)) as router:
        return router.context.classifier.info().state

print(asyncio.run(main()), *(name for name in ("numpy", "onnxruntime", "tokenizers") if name in sys.modules))
"""


def test_a_router_without_a_policy_that_classifies_loads_no_bundle_and_no_library_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", ROUTER], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.split() == ["NotLoaded"]

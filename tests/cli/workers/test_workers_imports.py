"""A supervisor stays small: it has nothing in it that serves, compiles or parses requests."""

from __future__ import annotations

import subprocess
import sys

_HEAVY = {"aiohttp", "pydantic", "yaml", "prometheus_client", "redis", "opentelemetry", "fairlead_router.server"}


def test_a_supervisor_imports_nothing_that_only_workers_need() -> None:
    code = f"import sys, fairlead_cli.main, fairlead_cli.workers.supervisor; print(*({_HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []

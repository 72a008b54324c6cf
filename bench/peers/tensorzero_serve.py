"""Runs in TensorZero's environment: ``python tensorzero_serve.py CONFIG`` serves until killed, and prints its port."""

import sys
import threading
from urllib.parse import urlsplit

from tensorzero import _start_http_gateway  # type: ignore[import-not-found]  # in its environment only

gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
print(urlsplit(gateway.base_url).port, flush=True)
threading.Event().wait()

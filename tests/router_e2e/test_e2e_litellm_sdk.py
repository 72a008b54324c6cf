"""The LiteLLM SDK as a client, unchanged but for its base URL."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.router_e2e.fake_upstream import FakeUpstream, Received, Script
from tests.router_e2e.harness import serving
from tests.router_e2e.scripts import answers, says, streams
from tests.router_e2e.test_e2e_operations import ADA, EMBEDDINGS
from tests.router_e2e.world import model, policy, provider

CLIENT = Path(__file__).with_name("litellm_client.py")


def plays(received: Received) -> Script:
    """An upstream with words, streams and embeddings."""
    if received.path.endswith("/embeddings"):
        return says(200, json.dumps(EMBEDDINGS).encode())
    if received.json.get("stream"):
        return streams()
    return answers()


async def test_chat_streams_embeddings_and_errors_arrive_as_its_users_know_them(upstream: FakeUpstream) -> None:
    upstream.default = plays
    models = [model("small"), ADA]
    async with serving(provider(upstream.url, models=models), policy("acme/small")) as router:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", str(CLIENT), f"{router.url}/v1", stdout=-1, stderr=-1
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-2000:]
        assert json.loads(out.splitlines()[-1]) == {
            "whole": "hello",
            "usage": 15,
            "stream": "hello",
            "streamUsage": 15,
            "vectors": 2,
            "refused": "NotFoundError",
        }

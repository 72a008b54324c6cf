"""The Redis of the chart as a process: the script of its container, with the configuration and a password of the chart."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from devcluster.installation import free_port
from devcluster.processes import Process
from devcluster.redis_binaries import find_redis
from tests.chart.helm import Helm, find, pod_templates

_PASSWORD = 'it\'s "quoted" \\ and $odd #1'


async def test_it_asks_for_any_password_word_for_word_and_keeps_what_it_is_told(helm: Helm, tmp_path: Path) -> None:
    objects = await helm.render({"redis": {"enabled": True, "extraConfig": "save 60 1"}})
    (container,) = pod_templates(objects)["StatefulSet/fairlead-redis"]["spec"]["containers"]
    config = find(objects, "ConfigMap", "fairlead-redis")["data"]["redis.conf"]
    port = free_port()
    files = {
        "/etc/redis/redis.conf": config.replace("port 6379", f"port {port}").replace("dir /data", f"dir {tmp_path}"),
        "/etc/redis-password/password": _PASSWORD + "\n",
    }
    script = container["command"][2].replace("/tmp/", f"{tmp_path}/")
    for path, text in files.items():
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/")).write_text(text)
        script = script.replace(path, f"{tmp_path}{path}")
    program = find_redis()
    path = f"{program.path.parent}:{os.environ['PATH']}"
    process = Process(
        "redis",
        ["/bin/sh", *container["command"][1:2], script],
        tmp_path / "redis.log",
        {**program.environment, "PATH": path},
    )
    process.start()
    try:

        async def answers() -> bool:
            with suppress(RedisError):
                async with Redis(port=port, password=_PASSWORD) as client:
                    return bool(await client.ping())
            return False

        await process.wait_until(answers, "answering")
        async with Redis(port=port, password=_PASSWORD) as client:
            assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert await client.config_get("maxmemory") == {"maxmemory": str(192 * 1024 * 1024)}
            assert (await client.config_get("appendonly", "save")) == {"appendonly": "yes", "save": "60 1"}
        for wrong in (None, "", _PASSWORD + " "):
            async with Redis(port=port, password=wrong) as client:
                with pytest.raises(AuthenticationError):
                    await client.ping()
        assert _PASSWORD not in (tmp_path / "redis.conf").read_text()
    finally:
        await process.stop()

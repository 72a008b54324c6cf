"""A real Redis, and Sentinels that watch it, as ordinary processes without persistence; for tests and benches."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from devcluster.control_plane import free_ports
from devcluster.processes import Process
from devcluster.redis_binaries import RedisProgram, find_redis


class RedisServer:
    """One server on 127.0.0.1 and on a Unix socket; address and folder stay the same over restarts."""

    def __init__(self, folder: Path, *, replica_of: RedisServer | None = None, password: str | None = None) -> None:
        """Blocks while the program is fetched. ``folder`` is made; its path must be short, as paths of sockets are."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (self.port,) = free_ports(1)
        self.password = password
        program = find_redis()
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(folder / "redis.sock"),
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "repl-diskless-sync-delay": "0",
        }
        if password is not None:
            options |= {"requirepass": password, "masterauth": password}
        if replica_of is not None:
            options["replicaof"] = f"127.0.0.1 {replica_of.port}"
        self.process = _process(program, folder, "redis", options)

    @property
    def url(self) -> str:
        """By TCP, without the password."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        """By the Unix socket, without the password."""
        return f"unix://{self.folder / 'redis.sock'}"

    async def start(self) -> None:
        """Start, unless it runs, and wait until it answers."""
        self.process.start()
        await self.process.wait_until(self.answers, "it answers")

    async def stop(self) -> None:
        """Stop it; nothing is kept."""
        await self.process.stop()

    async def answers(self) -> bool:
        """Whether it does its work now."""
        return await _ping(self.port, self.password)

    async def is_in_sync(self) -> None:
        """Wait until this replica has all that its master had."""

        async def in_sync() -> bool:
            async with Redis(port=self.port, password=self.password) as client:
                return (await client.info("replication")).get("master_link_status") == "up"

        await self.process.wait_until(in_sync, "the replica is in sync")

    async def flush(self) -> None:
        """Forget every key and every script."""
        async with Redis(port=self.port, password=self.password) as client:
            await client.flushall()
            await client.script_flush()


class Sentinel:
    """One Sentinel that decides alone (quorum 1) that ``master`` is down, after half a second."""

    def __init__(self, folder: Path, service: str, master: RedisServer) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.service = service
        (self.port,) = free_ports(1)
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(folder),
            "sentinel monitor": f"{service} 127.0.0.1 {master.port} 1",
            "sentinel down-after-milliseconds": f"{service} 500",
            "sentinel failover-timeout": f"{service} 2000",
        }
        self.process = _process(find_redis(), folder, "sentinel", options, "--sentinel")

    async def start(self) -> None:
        """Start, and wait until it answers."""
        self.process.start()
        await self.process.wait_until(lambda: _ping(self.port, None), "it answers")

    async def knows_a_replica(self) -> None:
        """Wait until it has somebody to promote; it asks the master every ten seconds."""

        async def knows() -> bool:
            async with Redis(port=self.port) as client:
                return bool(await client.sentinel_slaves(self.service))

        await self.process.wait_until(knows, "it knows a replica")

    async def stop(self) -> None:
        """Stop it."""
        await self.process.stop()


def _process(program: RedisProgram, folder: Path, name: str, options: dict[str, str], *flags: str) -> Process:
    # A file and not arguments: Sentinel writes into it, and a password is in it.
    configuration = folder / f"{name}.conf"
    lines = [f"{option} {value or chr(34) * 2}\n" for option, value in options.items()]
    configuration.write_text("".join(lines))
    # The dynamic linker must see the libraries only for this program.
    command = ["/usr/bin/env", *(f"{key}={value}" for key, value in program.environment.items())]
    return Process(name, [*command, program.path, configuration, *flags], folder / f"{name}.log")


async def _ping(port: int, password: str | None) -> bool:
    try:
        async with Redis(port=port, password=password, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(await client.ping())
    except RedisError:
        return False

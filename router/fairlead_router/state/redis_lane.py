"""Commands on their way to Redis: what is asked while an answer is awaited goes out together, in one round trip.

At one request at a time this is a command and its answer; under load a hundred commands share a write, a read and the client's
work, which is most of what a command costs in Python. Order is kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fairlead_router.state.redis_scripts import Script
from fairlead_router.state.store import StoreUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

_AT_ONCE = 512
"""Commands of one round trip: Redis answers others between two of them."""

Argument = str | bytes | int


class RedisLane:
    """One connection's worth of commands in flight. Every failure is a ``StoreUnavailable``."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[tuple[tuple[Argument, ...], Script | None, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    def send(self, *command: Argument) -> asyncio.Future[Any]:
        """Ask for one command; await the result for its answer."""
        return self._enqueue(command, None)

    def run(self, script: Script, keys: list[str], *arguments: Argument) -> asyncio.Future[Any]:
        """Ask for a script; its text is sent only to a Redis that does not know it."""
        return self._enqueue(("EVALSHA", script.sha, len(keys), *keys, *arguments), script)

    async def close(self) -> None:
        """Stop; who still waits is told that there is no answer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _enqueue(self, command: tuple[Argument, ...], script: Script | None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, script, future))
        if self._task is None:
            self._task = loop.create_task(self._drain(), name="redis-lane")
        return future

    async def _drain(self) -> None:
        batch: list[tuple[tuple[Argument, ...], Script | None, asyncio.Future[Any]]] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                answers = await self._ask([(command, script) for command, script, _ in batch])
                for (_, _, future), answer in zip(batch, answers, strict=True):
                    _resolve(future, answer)
        except BaseException as error:  # a cancelled lane has waiters too
            reason = StoreUnavailable(f"{type(error).__name__}: {error}")
            for _, _, future in (*batch, *self._waiting):
                _resolve(future, reason)
            self._waiting = []
            if not isinstance(error, _failures()):
                raise
        finally:
            self._task = None

    async def _ask(self, commands: list[tuple[tuple[Argument, ...], Script | None]]) -> list[Any]:
        answers = await self._execute([command for command, _ in commands])
        unknown = [place for place, answer in enumerate(answers) if _is_unknown_script(answer)]
        if unknown:
            again: list[tuple[Argument, ...]] = []
            for place in unknown:
                command, script = commands[place]
                assert script is not None, "only EVALSHA is answered NOSCRIPT"
                again.append(("EVAL", script.text, *command[2:]))
            for place, answer in zip(unknown, await self._execute(again), strict=True):
                answers[place] = answer
        return answers

    async def _execute(self, commands: list[tuple[Argument, ...]]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return list(await pipeline.execute(raise_on_error=False))


def _resolve(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # whoever asked has stopped waiting
        return
    if isinstance(answer, StoreUnavailable):
        future.set_exception(answer)
    elif isinstance(answer, Exception):
        future.set_exception(StoreUnavailable(f"{type(answer).__name__}: {answer}"))
    else:
        future.set_result(answer)


def _is_unknown_script(answer: object) -> bool:
    from redis.exceptions import NoScriptError

    return isinstance(answer, NoScriptError)


def _failures() -> tuple[type[BaseException], ...]:
    from redis.exceptions import RedisError

    return (RedisError, OSError, TimeoutError)

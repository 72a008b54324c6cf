"""A process that spends from one account, as one of several: ``python -m tests.router.state.spender URL LIMIT SEED``.

Prints what it was charged for. Of its reservations some are topped up, some settled, some charged twice, some left to expire.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from fairlead_router.state.redis import RedisStore
from fairlead_router.state.redis_client import RedisAccess, redis_client
from fairlead_router.state.store import Granted, Limit


async def spend(url: str, limit_micro_usd: int, seed: int) -> int:
    draws = random.Random(seed)
    store = RedisStore(redis_client(RedisAccess(url, operation_seconds=20)))
    limit = Limit("tiny", limit_micro_usd, time.time() + 3600)

    async def request(name: str) -> int:
        now = time.time()
        left_alone = draws.random() < 0.2
        held = 0
        for _ in range(draws.randint(1, 3)):
            amount = draws.randint(1, 20)
            expires_at = now + (0.05 if left_alone else 900)
            if not isinstance(await store.reserve(name, (limit,), amount, now=now, expires_at=expires_at), Granted):
                break
            held += amount
        if left_alone or not held:
            return held
        spent = draws.randint(0, held)
        if draws.random() < 0.5:
            await asyncio.gather(*(store.charge(name, (limit,), spent, now=now) for _ in range(2)))
        else:
            await asyncio.gather(*(store.settle(name, spent, now=now) for _ in range(2)))
        return spent

    total = 0
    for burst in range(20):
        total += sum(await asyncio.gather(*(request(f"{seed}/{burst}/{number}") for number in range(10))))
        await store.expire(now=time.time())
        balance = await store.balance("tiny", now=time.time())
        assert balance.spent + balance.reserved <= limit_micro_usd, balance
    await store.close()
    return total


if __name__ == "__main__":
    print(asyncio.run(spend(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))

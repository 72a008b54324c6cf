"""What routers with different settings may take from each other, with the bundle that comes along."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fairlead_contract.decision import Classification
from fairlead_router.classify.info import ClassifierState
from fairlead_router.classify.open import open_classifier
from fairlead_router.settings import Settings
from fairlead_router.state.memory import MemoryStore
from tests.router.classify.classify_parts import KEY, until

_UNCLEAR = "Something about boats, or the sea?"


async def test_routers_that_share_a_store_do_not_share_sets_of_another_error_rate() -> None:
    store = MemoryStore()
    careful = await _classified(store, error_percent=0.5)
    careless = await _classified(store, error_percent=60.0)
    assert len(careful.conformal_set) > len(careless.conformal_set)
    assert (await _classified(store, error_percent=0.5)).conformal_set == careful.conformal_set


async def _classified(store: MemoryStore, *, error_percent: float) -> Classification:
    settings = Settings(classifier="always", classifier_error_percent=error_percent, classifier_deadline_seconds=20)
    async with AsyncExitStack() as stack:
        service, _ = await open_classifier(settings, store, KEY, stack, tell=lambda name, words: None)
        await until(lambda: service.state() is ClassifierState.READY)
        return await service.classify(_UNCLEAR)

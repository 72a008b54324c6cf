"""Random worlds for the laws of selecting: models, a policy over them, a workspace, a request and broken endpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st

from fairlead_contract.decision import Facts
from fairlead_contract.fragments import (
    Affinity,
    Canary,
    Constraints,
    Endpoint,
    Fallback,
    Model,
    Price,
    Target,
    WorkspaceFragment,
)
from fairlead_router.config.table import ModelEntry, PolicyEntry
from fairlead_router.select.draws import DrawSource
from fairlead_router.select.selection import Selection, select
from fairlead_router.select.view import BreakerState, BreakerView, RecordedBreakers, StateView
from tests.router.builders import ChosenDraws, a_model, a_policy, a_provider, a_workspace, key, linked, ref, some_facts

T = TypeVar("T")

PROVIDERS = ("eu", "us", "gone")
MODELS = ("a", "b")
PLACES = [(provider, model) for provider in PROVIDERS for model in MODELS]


@dataclass(frozen=True)
class World:
    """Everything a selection depends on but the draws."""

    policy: PolicyEntry
    facts: Facts
    workspace: WorkspaceFragment | None
    view: StateView

    def select(self, draws: DrawSource | None = None, *, decision_id: str = "d") -> Selection:
        chosen = draws if draws is not None else ChosenDraws()
        return select(self.policy, self.facts, self.workspace, self.view, chosen, decision_id=decision_id, now=0.0)

    def with_view(self, view: StateView) -> World:
        return replace(self, view=view)


def _often(value: T, otherwise: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """``value`` four times in five, so that a world is rarely left without anybody."""
    return st.sampled_from((False, False, False, False, True)).flatmap(
        lambda other: otherwise if other else st.just(value)
    )


def _subset(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=len(values)).map(lambda some: tuple(sorted(some)))


references = st.sampled_from([*PLACES[:4] * 4, *PLACES]).map(lambda place: ref(place[1], place[0]))
constraints = _often(
    Constraints(),
    st.builds(
        Constraints,
        required_capabilities=_subset("Tools", "Vision"),
        compliance=_subset("GDPR"),
        regions=_subset("eu", "us"),
    ),
)
open_views = st.floats(0.0001, 60).map(lambda seconds: BreakerView(BreakerState.OPEN, seconds))
breaker_views = open_views | st.just(BreakerView(BreakerState.HALF_OPEN))


FLAWS: dict[str, object] = {
    "type": "Embedding",
    "capabilities": ("Tools",),
    "compliance": (),
    "context_window_tokens": 5,
    "state": "Inactive",
}


@st.composite
def models(draw: st.DrawFn, name: str) -> Model:
    """A model with one flaw at most."""
    sound = {"capabilities": ("Tools", "Vision"), "compliance": ("GDPR",)}
    flaw = draw(st.sampled_from([None] * len(FLAWS) * 2 + list(FLAWS)))
    undeclared = draw(_often((), st.just(("capabilities",))))
    fields = sound | dict.fromkeys(undeclared, ()) | ({} if flaw is None else {flaw: FLAWS[flaw]})
    prices = draw(
        st.lists(st.builds(Price, st.sampled_from((0, 100)), st.integers(0, 3), st.integers(0, 3)), max_size=2)
    )
    return a_model(name, prices=tuple(prices), **fields)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    withheld = draw(_often("", st.sampled_from(PROVIDERS)))
    providers = [
        a_provider(
            name,
            [draw(models(model)) for model in MODELS],
            endpoints=(
                Endpoint("primary", f"https://{name}.example", region=draw(st.sampled_from((name, "eu", None)))),
                Endpoint("second", f"https://{name}-2.example", region=draw(st.sampled_from(("us", None)))),
            ),
            withheld="SecretNotFound" if name == withheld else None,
        )
        for name in PROVIDERS[:2]
    ]
    weights = st.sampled_from((0, 1, 3, 6))
    orders = st.none() | st.integers(1, 4)
    given = draw(st.lists(st.tuples(references, weights, orders), min_size=1, max_size=5))
    targets = tuple(Target(f"t{number}", model, weight, order) for number, (model, weight, order) in enumerate(given))
    causes = st.sampled_from((("Error",), ("ContextWindow",), ("Error", "Timeout")))
    canary = draw(st.none() | st.builds(Canary, references, st.sampled_from((0, 10, 50, 100)), st.just("User")))
    policy = a_policy(
        strategy=draw(st.sampled_from(("Weighted", "Priority"))),
        targets=targets,
        fallbacks=tuple(draw(st.lists(st.builds(Fallback, causes, references), max_size=2))),
        canary=canary,
        affinity=draw(st.none() | st.just(Affinity())),
        constraints=draw(constraints),
    )
    facts = some_facts(
        estimated_input_tokens=draw(_often(1, st.sampled_from((10, 100)))),
        required_capabilities=draw(_often((), _subset("Tools", "Vision"))),
        user_hash=draw(st.none() | st.just("user")),
    )
    workspace = draw(
        _often(
            None,
            st.builds(
                a_workspace,
                allowed_models=st.none() | st.lists(references, max_size=4).map(tuple),
                constraints=constraints,
            ),
        )
    )
    places = [f"{key(model, provider)}@{endpoint}" for provider, model in PLACES for endpoint in ("primary", "second")]
    some = st.dictionaries(st.sampled_from(places), breaker_views, max_size=4)
    all_open = st.fixed_dictionaries(dict.fromkeys(places, open_views))
    broken = draw(st.just({}) | some | all_open)
    pinned = draw(st.none() | st.none() | st.sampled_from(PLACES).map(lambda place: key(place[1], place[0])))
    if policy.affinity is None:
        pinned = None
    return World(linked(policy, *providers), facts, workspace, StateView(RecordedBreakers(broken), pinned))


def everyone_in(selection: Selection) -> list[ModelEntry]:
    """Whoever this selection lets anybody try."""
    return [*selection.plan, *(fallback.entry for fallback in selection.fallbacks)]

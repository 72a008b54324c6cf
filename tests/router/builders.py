"""Builders of fragments, tables, facts and records, with defaults that a test overrides by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from fairlead_contract.decision import (
    Classification,
    ClassificationPath,
    DecisionRecord,
    Draw,
    Facts,
    Outcome,
    PolicyUsed,
    SnapshotUsed,
)
from fairlead_contract.fragments import (
    AnyFragment,
    Endpoint,
    Model,
    ModelRef,
    PolicyFragment,
    ProviderFragment,
    Target,
    TenancyFragment,
    WorkspaceFragment,
)
from fairlead_contract.snapshot import Credentials, Sealed, make_entry, seal, unseal
from fairlead_contract.steps import run_to_end
from fairlead_router.account.ledger import Account
from fairlead_router.admit.limits import Admission
from fairlead_router.config.build import Reusable, build
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.config.table import PolicyEntry, Table
from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.identify.identity import Identifier
from fairlead_router.pipeline import Pipeline
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.select.view import BreakerState, BreakerView, RecordedBreakers, StateView
from fairlead_router.state.memory import MemoryStore

T = TypeVar("T")

NAMESPACE = "team-a"
NO_CREDENTIALS = Credentials()


def ref(model: str = "small", provider: str = "openai", namespace: str = NAMESPACE) -> ModelRef:
    return ModelRef(namespace, provider, model)


def key(model: str = "small", provider: str = "openai", namespace: str = NAMESPACE) -> str:
    return ref(model, provider, namespace).key


def a_model(name: str = "small", **fields: Any) -> Model:
    return Model(**{"name": name, "upstream_name": name, **fields})


def a_provider(
    name: str = "openai", models: Iterable[Model] = (a_model(),), *, namespace: str = NAMESPACE, **fields: Any
) -> ProviderFragment:
    given: dict[str, Any] = {
        "uid": f"uid-provider-{namespace}-{name}",
        "generation": 1,
        "type": "OpenAICompatible",
        "endpoints": (Endpoint("primary", f"https://{name}.example/v1"),),
    }
    return ProviderFragment(namespace=namespace, name=name, models=tuple(models), **(given | fields))


def a_policy(name: str = "main", *, namespace: str = NAMESPACE, **fields: Any) -> PolicyFragment:
    given: dict[str, Any] = {"uid": f"uid-policy-{namespace}-{name}", "generation": 1, "created_at": 0}
    return PolicyFragment(namespace=namespace, name=name, **(given | fields))


def a_target(name: str = "main", model: str = "small", **fields: Any) -> Target:
    return Target(name, ref(model), **fields)


def a_workspace(workspace: str = "ws", **fields: Any) -> WorkspaceFragment:
    given: dict[str, Any] = {"uid": f"uid-workspace-{workspace}", "generation": 1}
    return WorkspaceFragment(namespace=NAMESPACE, name=workspace, workspace=workspace, **(given | fields))


def tenancy(default_namespace: str | None = NAMESPACE, **owners: str) -> TenancyFragment:
    return TenancyFragment(
        namespace="", name="tenancy", uid="", generation=0, owners=owners, default_namespace=default_namespace
    )


def sealed(*fragments: AnyFragment, epoch: int = 1, revision: int = 1) -> Sealed:
    entries = [make_entry(fragment) for fragment in fragments]
    return seal(entries, compiler_version="test", epoch=epoch, revision=revision)


def built(
    *fragments: AnyFragment, credentials: Credentials = NO_CREDENTIALS, previous: Reusable | None = None
) -> tuple[Table, Reusable]:
    snapshot = sealed(*fragments)
    return run_to_end(build(snapshot.manifest, unseal(snapshot), credentials, previous or Reusable()))


def a_table(*fragments: AnyFragment) -> Table:
    return built(*fragments)[0]


def linked(policy: PolicyFragment, *others: AnyFragment) -> PolicyEntry:
    """``policy`` as it stands in a table beside ``others``."""
    table = a_table(policy, *others)
    return next(entry for entry in table.policies if entry.fragment == policy)


def some_facts(**fields: Any) -> Facts:
    given: dict[str, Any] = {
        "workspace": "ws",
        "namespace": NAMESPACE,
        "request_type": "Chat",
        "requested_model": "auto",
    }
    return Facts(**(given | fields))


def a_classification(**fields: Any) -> Classification:
    """What an unsure classifier might say."""
    given: dict[str, Any] = {
        "path": ClassificationPath.LEARNED,
        "category": "coding",
        "confidence": 0.6,
        "conformal_set": ("coding", "math"),
        "difficulty": "Easy",
        "complexity": 0.2,
        "creativity": 0.1,
    }
    return Classification(**(given | fields))


class SaidClassifier:
    """Says of every text what a test chose, and notes what it was asked."""

    def __init__(self, said: Classification) -> None:
        self.said = said
        self.asked: list[str] = []

    async def classify(self, text: str, *, deadline_seconds: float | None = None) -> Classification:
        self.asked.append(text)
        return self.said


def view(pinned: str | None = None, **open_for: float) -> StateView:
    """A view in which the breakers of the named models of provider ``openai`` are open for so many seconds."""
    states = {f"{key(model)}@primary": BreakerView(BreakerState.OPEN, seconds) for model, seconds in open_for.items()}
    return StateView(RecordedBreakers(states), pinned)


class ChosenDraws:
    """Draws that a test chose, by purpose (``strategy``, ``canary`` or ``endpoint``), and who asked for what."""

    def __init__(self, strategy: float = 0.0, canary: float = 0.0, endpoint: float = 0.0) -> None:
        self._values = {"strategy": strategy, "canary": canary, "endpoint": endpoint}
        self.asked: list[tuple[str, str, str, str]] = []

    def draw(self, purpose: str, uid: str, unit: str, value: str) -> Draw:
        self.asked.append((purpose, uid, unit, value))
        return Draw(purpose=purpose, uid=uid, unit=unit, value=self._values[purpose.partition(":")[0]])


def chosen(values: Sequence[float]) -> Callable[[], float]:
    """A source of these numbers, then of zeros."""
    left = iter(values)
    return lambda: next(left, 0.0)


def a_record(**fields: Any) -> DecisionRecord:
    given: dict[str, Any] = {
        "id": "d-1",
        "time": 1_700_000_000_000_000,
        "snapshot": SnapshotUsed(epoch=1, revision=2, digest="sha256:00"),
        "facts": some_facts(),
        "outcome": Outcome.SUCCEEDED,
        "status": 200,
        "duration_microseconds": 1500,
        "overhead_microseconds": 500,
        "outcome_key": "d-1",
    }
    return DecisionRecord(**(given | fields))


def policy_used(name: str = "main", **fields: Any) -> PolicyUsed:
    given: dict[str, Any] = {"namespace": NAMESPACE, "uid": "u", "generation": 3, "digest": "d"}
    return PolicyUsed(name=name, **(given | fields))


def an_account(store: MemoryStore | None = None, **fields: Any) -> Account:
    given: dict[str, Any] = {"decision_id": "d-1", "limits": (), "clock": lambda: 0.0}
    return Account(store or MemoryStore(), **(given | fields))


def a_pipeline(receiver: ConfigReceiver, **rooms: Any) -> Pipeline:
    """A pipeline that can decide and explain, but calls nobody."""
    given: dict[str, Any] = {
        "identifier": Identifier(None, default_workspace="default", hash_key=b"k" * 32),
        "admission": Admission(max_body_bytes=1000, max_concurrent_requests=10),
        "store": MemoryStore(),
        "breakers": BreakerRegistry(lambda: 0.5),
        "draws": KeyedDraws(b"k" * 32),
        "dispatcher": None,
        "recorder": None,
        "classifier": SaidClassifier(a_classification()),
        "clock": lambda: 1000.0,
        "wall": lambda: 1_700_000_000.0,
        "new_id": lambda: "made-by-the-router",
    }
    return Pipeline(receiver=receiver, **(given | rooms))


def a_receiver(**clocks: Callable[[], float]) -> ConfigReceiver:
    return ConfigReceiver(
        wall_clock=clocks.get("wall_clock", lambda: 1_700_000_000.0), monotonic=clocks.get("monotonic", lambda: 0.0)
    )

"""Small worlds for property tests: everything that can be right and wrong, in few names so that it meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from fairlead_crds.compile import Namespace, Resources, SecretVersions
from tests.compile.objects import LABELLED, PLATFORM, PRICE, raw, ref

NAMESPACES = ("team-a", "team-b", "shared", PLATFORM)
NAMES = ("one", "two")
MODELS = ("small", "large")
WORKSPACES = ("team-a", "ws-1", "ws-2")

Slot = tuple[str, str, str]

REFS = st.builds(ref, st.sampled_from(NAMES), st.sampled_from(MODELS), st.sampled_from([None, None, *NAMESPACES]))
CONSTRAINTS = st.sampled_from(
    [{}, {"requiredCapabilities": ["Tools"]}, {"compliance": ["GDPR"]}, {"regions": ["eu"]}, {"regions": ["us"]}]
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


MODEL_FIELDS = optional(
    prices=st.just([PRICE]),
    capabilities=st.just(["Tools"]),
    compliance=st.just(["GDPR"]),
    state=st.sampled_from(["Active", "Inactive", "Deprecated"]),
)
ENDPOINTS = st.sampled_from(
    [
        {"url": "https://api.example.com/v1"},
        {"url": "https://eu.example.com/v1", "region": "eu"},
        {"url": "http://api.example.com/v1"},
        {"url": "http://169.254.169.254/"},
        {
            "url": "https://api.example.com/v1",
            "headers": [{"name": "X-Key", "valueFrom": {"secretRef": {"name": "keys", "key": "b"}}}],
        },
    ]
)
ALLOWED = st.sampled_from(
    [
        {"from": "Same"},
        {"from": "All"},
        {"from": "Selector", "selector": {"matchLabels": {"llm": "yes"}}},
        {"from": "Selector", "selector": {"matchExpressions": [{"key": "llm", "operator": "DoesNotExist"}]}},
    ]
)
PROVIDERS = st.builds(
    lambda endpoint, models, rest: {
        "type": "OpenAICompatible",
        "endpoints": [{"name": "primary", **endpoint}],
        "models": [{"name": name, **fields} for name, fields in models.items()],
        **rest,
    },
    ENDPOINTS,
    st.dictionaries(st.sampled_from(MODELS), MODEL_FIELDS, min_size=1, max_size=2),
    optional(allowedNamespaces=ALLOWED, credentials=st.just({"secretRef": {"name": "keys", "key": "a"}})),
)
POLICIES = st.builds(
    lambda refs, rest: {"targets": [{"name": f"t{n}", "modelRef": item} for n, item in enumerate(refs)], **rest},
    st.lists(REFS, min_size=1, max_size=2),
    optional(
        precedence=st.sampled_from(["Normal", "Normal", "Override", "Default"]),
        priority=st.integers(0, 2),
        suspend=st.sampled_from([False, False, True]),
        strategy=st.sampled_from(["Weighted", "Priority", "Priority", "Pareto"]),
        match=optional(
            agentTypes=st.lists(st.sampled_from(["a", "b"]), min_size=1, unique=True),
            workspaces=st.lists(st.sampled_from(WORKSPACES), min_size=1, unique=True),
        ),
        fallbacks=st.lists(st.builds(lambda item: {"on": ["Error"], "modelRef": item}, REFS), max_size=1),
        canary=st.builds(lambda item: {"modelRef": item, "weightPercent": 5}, REFS),
        constraints=CONSTRAINTS,
    ),
)
BUDGETS = st.builds(
    lambda workspace, rest: {"workspace": workspace, **rest},
    st.sampled_from(WORKSPACES),
    optional(
        allowedModels=st.lists(REFS, min_size=1, max_size=2),
        compliance=st.just(["GDPR"]),
        constraints=CONSTRAINTS,
    ),
)
ARMS = st.one_of(
    st.builds(lambda item: {"modelRef": item}, REFS),
    st.builds(lambda name: {"policyRef": {"name": name}}, st.sampled_from(NAMES)),
)
EXPERIMENTS = st.builds(
    lambda one, two, name: {
        "policyRef": {"name": name},
        "arms": [{"name": "x", "weightPercent": 50, **one}, {"name": "y", "weightPercent": 50, **two}],
        "metrics": [{"name": "Quality", "role": "Primary"}],
    },
    ARMS,
    ARMS,
    st.sampled_from(NAMES),
)
SPECS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "ModelProvider": PROVIDERS,
    "RoutingPolicy": POLICIES,
    "WorkspaceBudget": BUDGETS,
    "ABTest": EXPERIMENTS,
}


def specs(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Mostly as meant, now and then with a field that no kind has."""
    return st.tuples(SPECS[kind], st.integers(0, 11)).map(
        lambda drawn: drawn[0] | ({"surprise": 1} if drawn[1] == 9 else {})
    )


SLOTS: st.SearchStrategy[Slot] = st.tuples(
    st.sampled_from(["ModelProvider", "ModelProvider", "RoutingPolicy", "RoutingPolicy", "WorkspaceBudget", "ABTest"]),
    st.sampled_from(NAMESPACES),
    st.sampled_from(NAMES),
)
LISTINGS = st.sampled_from([None, "ws-1", "ws-*", "ws-1,ws-2", "*"])
SECRETS = st.lists(
    st.builds(
        SecretVersions,
        st.sampled_from(NAMESPACES),
        st.just("keys"),
        st.sampled_from([LABELLED, {}]),
        st.sampled_from([{}, {"fairlead.dev/allowed-hosts": "api.example.com"}]),
        st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["v1", "v2"])),
    ),
    max_size=4,
    unique_by=lambda secret: secret.namespace,
).map(tuple)


@st.composite
def namespaces(draw: st.DrawFn) -> tuple[Namespace, ...]:
    result = []
    for name in NAMESPACES:
        listed = draw(LISTINGS)
        annotations = {} if listed is None else {"fairlead.dev/workspaces": listed}
        labels = draw(st.sampled_from([{}, {"llm": "yes"}]))
        result.append(
            Namespace(name, draw(st.sampled_from("xyz")) + name, draw(st.integers(0, 2)), labels, annotations)
        )
    return tuple(result)


@dataclass(frozen=True)
class World:
    """Objects by slot, and the rest."""

    objects: Mapping[Slot, dict[str, Any]]
    namespaces: tuple[Namespace, ...]
    secrets: tuple[SecretVersions, ...]

    @property
    def resources(self) -> Resources:
        return Resources(tuple(self.objects.values()), self.namespaces, self.secrets)

    def without(self, slot: Slot) -> World:
        return replace(self, objects={key: item for key, item in self.objects.items() if key != slot})

    def put(self, slot: Slot, spec: dict[str, Any], generation: int, uid: str | None = None) -> World:
        """As the next generation if the slot is taken; equal (uid, generation) never has two specs."""
        kind, namespace, name = slot
        before = self.objects.get(slot)
        identity = f"{uid or generation}-{namespace}-{name}" if before is None else before["metadata"]["uid"]
        created = (
            f"2026-01-01T00:00:{generation % 3:02d}Z" if before is None else before["metadata"]["creationTimestamp"]
        )
        item = raw(kind, name, spec, namespace=namespace, generation=generation, uid=identity, created=created)
        return replace(self, objects={**self.objects, slot: item})


@st.composite
def worlds(draw: st.DrawFn, min_size: int = 4) -> World:
    world = World({}, draw(namespaces()), draw(SECRETS))
    for number, slot in enumerate(draw(st.lists(SLOTS, unique=True, min_size=min_size, max_size=10))):
        world = world.put(slot, draw(specs(slot[0])), number + 1)
    return world


@st.composite
def edits(draw: st.DrawFn, world: World, generation: int) -> World:
    """One step of history: an object written, removed or made anew; a Secret or a namespace changed."""
    match draw(st.sampled_from(["write", "write", "write", "remove", "secrets", "namespaces"])):
        case "secrets":
            return replace(world, secrets=draw(SECRETS))
        case "namespaces":
            return replace(world, namespaces=draw(namespaces()))
        case "remove" if world.objects:
            return world.without(draw(st.sampled_from(sorted(world.objects))))
    slot = draw(SLOTS | st.sampled_from(sorted(world.objects)) if world.objects else SLOTS)
    return world.put(slot, draw(specs(slot[0])), generation)

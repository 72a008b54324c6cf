"""What is wrong with experiments in the light of other objects: missing policies, cycles, arms nobody may use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set

from fairlead_contract.fragments import ModelRef, PolicyFragment
from fairlead_crds.compile.candidates import Budgets, Layer, forbidden
from fairlead_crds.compile.catalog import Catalog
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.intents import Arm, Experiment
from fairlead_crds.compile.link import link_refs

PolicyName = tuple[str, str]


def findings(
    experiments: Iterable[Experiment],
    policies: Mapping[PolicyName, PolicyFragment],
    declared: Set[PolicyName],
    budgets: Budgets,
    catalog: Catalog,
) -> list[Finding]:
    """All findings about experiments. ``declared`` also holds policies that are not in force."""
    found = sorted(experiments, key=lambda item: item.key)
    result = _cycles(found)
    for experiment in found:
        refs = [
            (f"spec.arms[{position}].modelRef", arm.model)
            for position, arm in enumerate(experiment.arms)
            if arm.model is not None
        ]
        result += link_refs(experiment.key, refs, catalog)
        result += _missing_policies(experiment, declared)
        result += _forbidden_arms(experiment, policies, budgets, catalog)
    return result


def _missing_policies(experiment: Experiment, declared: Set[PolicyName]) -> Iterator[Finding]:
    named = [("spec.policyRef", experiment.policy)]
    named += [(f"spec.arms[{position}].policyRef", arm.policy) for position, arm in enumerate(experiment.arms)]
    for field, name in named:
        if name is not None and (experiment.key.namespace, name) not in declared:
            yield Finding(
                *experiment.key,
                field,
                Severity.ERROR,
                Reason.POLICY_NOT_FOUND,
                f"there is no RoutingPolicy {name} in namespace {experiment.key.namespace}: create it or change the name",
            )


def _forbidden_arms(
    experiment: Experiment, policies: Mapping[PolicyName, PolicyFragment], budgets: Budgets, catalog: Catalog
) -> Iterator[Finding]:
    namespace = experiment.key.namespace
    split = None if experiment.policy is None else policies.get((namespace, experiment.policy))
    own = [] if split is None else [_layer(split)]
    if split is not None:
        reached = budgets.reached_by(split)
    else:
        reached = budgets.named(experiment.workspaces) if experiment.workspaces else budgets.of(namespace)
    for position, arm in enumerate(experiment.arms):
        chosen = None if arm.policy is None else policies.get((namespace, arm.policy))
        layers = own if chosen is None else [*own, _layer(chosen)]
        for extra in [None, *reached]:
            reason = _ruled_out(_models(arm, chosen), layers if extra is None else [*layers, extra], catalog)
            if reason is not None:
                yield Finding(
                    *experiment.key,
                    f"spec.arms[{position}]",
                    Severity.ERROR,
                    Reason.FORBIDDEN_ARM,
                    f"no request may go to this arm: {reason}; change the arm or relax the constraint",
                )
                break


def _layer(policy: PolicyFragment) -> Layer:
    return Layer(f"RoutingPolicy {policy.name}", policy.constraints)


def _models(arm: Arm, chosen: PolicyFragment | None) -> list[ModelRef]:
    if arm.model is not None:
        return [arm.model]
    return [] if chosen is None else [target.model for target in chosen.targets]


def _ruled_out(models: list[ModelRef], layers: list[Layer], catalog: Catalog) -> str | None:
    reasons = [forbidden(model, layers, catalog) for model in models]
    return reasons[0] if reasons and None not in reasons else None


def _cycles(experiments: Iterable[Experiment]) -> list[Finding]:
    """An arm that leads back to the policy it splits would be decided for ever."""
    edges: defaultdict[PolicyName, list[PolicyName]] = defaultdict(list)
    arms = []
    for experiment in experiments:
        if experiment.policy is None:
            continue
        start = (experiment.key.namespace, experiment.policy)
        for position, arm in enumerate(experiment.arms):
            if arm.policy is not None:
                end = (experiment.key.namespace, arm.policy)
                edges[start].append(end)
                arms.append((experiment, position, start, end))
    component = components(edges)
    return [
        Finding(
            *experiment.key,
            f"spec.arms[{position}].policyRef",
            Severity.ERROR,
            Reason.CYCLE,
            f"RoutingPolicy {end[1]} leads back to RoutingPolicy {start[1]}, which this experiment splits: let the arm "
            "name a model, or a policy that no experiment leads back from",
        )
        for experiment, position, start, end in arms
        if component[start] == component[end]
    ]


def components(edges: Mapping[PolicyName, list[PolicyName]]) -> dict[PolicyName, PolicyName]:
    """Each node's strongly connected component, named by one of its nodes (Kosaraju, without recursion)."""
    backwards: defaultdict[PolicyName, list[PolicyName]] = defaultdict(list)
    for start, ends in edges.items():
        for end in ends:
            backwards[end].append(start)
    finished: list[PolicyName] = []
    seen: set[PolicyName] = set()
    for root in edges:
        stack = [(root, iter(edges.get(root, ())))] if root not in seen else []
        seen.add(root)
        while stack:
            node, successors = stack[-1]
            following = next((item for item in successors if item not in seen), None)
            if following is None:
                finished.append(node)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(edges.get(following, ()))))
    component: dict[PolicyName, PolicyName] = {}
    for root in reversed(finished):
        pending = [root]
        while pending:
            node = pending.pop()
            if node not in component:
                component[node] = root
                pending.extend(item for item in backwards.get(node, ()) if item not in component)
    return component

"""A WorkspaceBudget's intent, and an ABTest as far as others depend on it."""

from __future__ import annotations

from fairlead_contract.fragments import WorkspaceFragment
from fairlead_crds.compile.declared import Declared
from fairlead_crds.compile.intents import Arm, Experiment, Lowered
from fairlead_crds.compile.lower_policy import lower_constraints, model_ref
from fairlead_crds.kinds.ab_test import ABTestSpec
from fairlead_crds.kinds.workspace_budget import WorkspaceBudgetSpec


def lower_workspace(declared: Declared, spec: WorkspaceBudgetSpec) -> Lowered:
    """What the budget imposes on its workspace, should its claim win."""
    namespace = declared.key.namespace
    allowed = None
    if spec.given("allowed_models"):
        allowed = tuple(sorted({model_ref(item, namespace) for item in spec.allowed_models}))
    intent = WorkspaceFragment(
        namespace=namespace,
        name=declared.key.name,
        uid=declared.uid,
        generation=declared.generation,
        workspace=spec.workspace,
        allowed_models=allowed,
        constraints=lower_constraints(spec.constraints, spec.compliance),
    )
    return Lowered(intent=intent)


def lower_experiment(declared: Declared, spec: ABTestSpec) -> Experiment:
    """Arms and what they split."""
    namespace = declared.key.namespace
    return Experiment(
        key=declared.key,
        policy=None if spec.policy_ref is None else spec.policy_ref.name,
        workspaces=() if spec.match is None else tuple(sorted(spec.match.workspaces)),
        arms=tuple(
            Arm(
                None if arm.model_ref is None else model_ref(arm.model_ref, namespace),
                None if arm.policy_ref is None else arm.policy_ref.name,
            )
            for arm in spec.arms
        ),
    )

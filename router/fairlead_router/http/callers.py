"""Who asks about models, and which of them it may see and name."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_contract.fragments import WorkspaceFragment
from fairlead_router.config.table import ModelEntry, Table
from fairlead_router.errors import model_ambiguous, model_not_found
from fairlead_router.http.client import Headers
from fairlead_router.http.heads import check_head
from fairlead_router.identify.identity import Identity
from fairlead_router.match.match import AUTO, unambiguous_name
from fairlead_router.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the table that answers."""

    table: Table
    identity: Identity
    namespace: str | None
    rules: WorkspaceFragment | None

    @classmethod
    def of(cls, pipeline: Pipeline, headers: Headers) -> Caller:
        """Raises ``RouterError`` for a head that is none, a caller that is not known, or without a configuration."""
        check_head(headers)
        flow = pipeline.arrive()
        pipeline.identify(flow, headers)
        assert flow.identity is not None, "identify sets it"
        return cls.seen(flow.table, flow.identity)

    @classmethod
    def seen(cls, table: Table, identity: Identity) -> Caller:
        """The one that ``identity`` is to ``table``."""
        workspace = identity.workspace
        return cls(table, identity, table.tenancy.owner_of(workspace), table.workspaces.get(workspace))

    @property
    def workspace(self) -> str:
        """The one it asks for."""
        return self.identity.workspace

    @property
    def may_say_auto(self) -> bool:
        """Whether a policy for ``auto`` may match, depending on the rest of the request."""
        return any(
            AUTO in fragment.match.models
            and (fragment.platform or fragment.namespace == self.namespace)
            and (not fragment.match.workspaces or self.workspace in fragment.match.workspaces)
            for fragment in (policy.fragment for policy in self.table.policies)
        )

    def may_see(self, entry: ModelEntry) -> bool:
        """Whether the model is allowed to the workspace, be it in use or not."""
        allowed = None if self.rules is None else self.rules.allowed_models
        return allowed is None or entry.ref in allowed

    def may_call(self, entry: ModelEntry) -> bool:
        """Whether the model is in use and allowed to the workspace."""
        return entry.model.state != "Inactive" and self.may_see(entry)

    def models(self) -> list[ModelEntry]:
        """All that it may see, in the order of their keys."""
        return [entry for entry in self.table.models_of(self.namespace) if self.may_see(entry)]

    def name_of(self, entry: ModelEntry) -> str:
        """The shortest name by which it may call ``entry``."""
        same_name = self.table.models_named(self.namespace, entry.model.name)
        return entry.model.name if len(same_name) == 1 else unambiguous_name(entry, same_name)

    def find(self, name: str, *, in_use: bool) -> ModelEntry:
        """The model of that name. Raises ``RouterError`` 404, or 409 where several have it."""
        may = self.may_call if in_use else self.may_see
        found = [each for each in self.table.models_named(self.namespace, name) if may(each)]
        if len(found) > 1:
            raise model_ambiguous(name, sorted(unambiguous_name(each, found) for each in found))
        if not found:
            raise model_not_found(name, self.workspace)
        return found[0]

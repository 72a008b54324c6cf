"""What Kubernetes keeps about every object, as far as we read it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from fairlead_crds.kinds.common import Model
from fairlead_crds.kinds.scalars import DnsLabel, DnsName, Instant

Text = Annotated[str, StringConstraints(max_length=262144)]


class ObjectMeta(Model):
    """`metadata` of an object; fields we do not read are ignored."""

    model_config = ConfigDict(extra="ignore")

    name: DnsName = Field(description="Name of the object, unique per kind and namespace.")
    namespace: DnsLabel = Field("default", description="Namespace the object lives in.")
    uid: Annotated[str, StringConstraints(max_length=128)] = Field(
        "", description="Identity across renames and re-creations; empty when the source has none, as with files."
    )
    generation: int = Field(0, ge=0, description="Grows with every change of spec; 0 when the source does not count.")
    creation_timestamp: Instant | None = Field(None, description="When the object was created.")
    deletion_timestamp: Instant | None = Field(
        None, description="When deletion was asked for; absent while the object is wanted."
    )
    labels: dict[str, Text] = Field(default_factory=dict, description="Labels, for selection.")
    annotations: dict[str, Text] = Field(
        default_factory=dict, description="Annotations; those under fairlead.dev/ are people's actions."
    )

"""BundleRef: where a learned model comes from and why it may be trusted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from fairlead_crds.kinds.common import LocalObjectRef, Model, ObjectKeyRef
from fairlead_crds.kinds.rules import Rule
from fairlead_crds.kinds.scalars import BUNDLE_URI, SHA256


class Verification(Model):
    """Whose signature a manifest needs."""

    public_key_secret_ref: ObjectKeyRef = Field(description="Key of a Secret with the public key in PEM.")


class BundleRef(Model):
    """A bundle of model files, pinned by digest or polled and checked by signature."""

    uri: Annotated[str, StringConstraints(min_length=6, max_length=512, pattern=BUNDLE_URI)] = Field(
        description="Folder of the bundle: s3://, gs://, https://, oci:// or file:///."
    )
    digest: Annotated[str, StringConstraints(min_length=71, max_length=71, pattern=SHA256)] | None = Field(
        None,
        description="SHA-256 of the manifest, as sha256: and 64 hexadecimal digits. Given: exactly this version is used "
        "and nothing is polled.",
    )
    poll_seconds: int = Field(
        300, ge=10, le=86400, description="Seconds between looks for a newer manifest, without a digest."
    )
    credentials_secret_ref: LocalObjectRef | None = Field(
        None, description="Secret with the credentials of the store. Absent: the router's own identity."
    )
    verification: Verification | None = Field(None, description="Whose signature a manifest needs before it activates.")

    rules = (
        Rule(
            cel="has(self.digest) || has(self.verification)",
            message="a bundle that is polled activates only signed manifests: pin it with digest or add verification",
            check=lambda b: b.digest is not None or b.verification is not None,
        ),
    )

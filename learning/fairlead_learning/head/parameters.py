"""What the manifest of a classifier says beyond what all manifests say."""

from __future__ import annotations

from typing import Annotated

import msgspec

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import MAKE_AGAIN, BundleError
from fairlead_learning.bundles.manifest import MANIFEST
from fairlead_learning.encoder.parameters import EncoderParameters
from fairlead_learning.head.lexical import BUCKETS


class HeadParameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How the head is put together."""

    base_model: str
    """What the encoder was tuned from."""
    encoder: EncoderParameters
    lexical_weights: str
    """File: float16, 2 x buckets x labels."""
    lexical_biases: str
    """File: float32, labels."""
    conformal_scores: str
    """File: float32, the probabilities that calibration rows' right labels were given, in rising order."""
    buckets: int
    lexical_weight: Annotated[float, msgspec.Meta(ge=0)]
    temperature: Annotated[float, msgspec.Meta(gt=0)]


def head_parameters_of(bundle: Bundle) -> HeadParameters:
    """Out of the manifest. Raises :class:`BundleError`."""
    try:
        parameters = msgspec.convert(bundle.manifest.parameters, HeadParameters)
    except msgspec.ValidationError as error:
        raise BundleError(
            bundle.folder, f"has parameters that no classifier has: {error}", file=MANIFEST, mend=MAKE_AGAIN
        ) from error
    if parameters.buckets != BUCKETS:
        raise BundleError(
            bundle.folder,
            f"hashes n-grams into {parameters.buckets} buckets, this program into {BUCKETS}",
            file=MANIFEST,
            mend="train the classifier with the `fairlead` that will serve it",
        )
    return parameters

"""What the manifest of an encoder says beyond what all manifests say."""

from __future__ import annotations

from typing import Annotated

import msgspec

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import MAKE_AGAIN, BundleError
from fairlead_learning.bundles.manifest import MANIFEST


class EncoderParameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How texts become the input of the graph."""

    model: str
    """The graph's file: ``input_ids`` (int64, texts x tokens, no padding) to ``embedding`` (float32, texts x dimensions)
    and further outputs."""
    tokenizer: str
    """File of the tokenizers library."""
    dimensions: Annotated[int, msgspec.Meta(ge=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=8)]
    """The graph's limit, prefix and suffix included. Of longer texts, head and tail are read."""
    prefix: tuple[int, ...]
    """Tokens put before every text, ``[CLS]`` for BERT."""
    suffix: tuple[int, ...]

    @property
    def room(self) -> int:
        """Tokens of the text itself."""
        return self.max_tokens - len(self.prefix) - len(self.suffix)


def parameters_of(bundle: Bundle, key: str | None = None) -> EncoderParameters:
    """Out of the manifest's parameters, or of those below ``key``. Raises :class:`BundleError`."""
    given = bundle.manifest.parameters if key is None else bundle.manifest.parameters.get(key)
    try:
        parameters = msgspec.convert(given, EncoderParameters)
    except msgspec.ValidationError as error:
        raise BundleError(
            bundle.folder, f"has parameters that no encoder has: {error}", file=MANIFEST, mend=MAKE_AGAIN
        ) from error
    if parameters.room < 1:
        raise BundleError(
            bundle.folder,
            f"has maxTokens {parameters.max_tokens}, which prefix and suffix fill",
            file=MANIFEST,
            mend=MAKE_AGAIN,
        )
    return parameters

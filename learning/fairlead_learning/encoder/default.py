"""Where the encoder is that comes with the package."""

from pathlib import Path

DEFAULT_ENCODER = Path(__file__).parent.parent / "default_bundle" / "encoder"

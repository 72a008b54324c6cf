"""The image of the tree as it is, built unless it is there already, and unpacked once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.images.build import Image, find_image
from tests.image.container import Unpacked, unpacked


@pytest.fixture(scope="session")
def image() -> Image:
    """Its name and archive."""
    return find_image()


@pytest.fixture(scope="session")
def contents(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    """Its files."""
    return unpacked(Path(image.archive), tmp_path_factory.mktemp("image"))

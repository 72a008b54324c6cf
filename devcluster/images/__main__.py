"""``python -m devcluster.images``: build, say what it weighs and where it is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster.images.build import find_image
from devcluster.images.host import ImageFailed, say
from devcluster.images.redis import find_redis_image
from devcluster.images.weigh import table, weigh


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status. Name and archive go to stdout, one a line; everything else to stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m devcluster.images", description="Make an image and say where it is."
    )
    parser.add_argument("image", nargs="?", choices=("fairlead", "redis"), default="fairlead")
    parser.add_argument("--quiet", action="store_true", help="no table of what its parts weigh")
    chosen = parser.parse_args(arguments)
    try:
        image = find_redis_image() if chosen.image == "redis" else find_image()
    except ImageFailed as error:
        say(str(error))
        return 1
    if not chosen.quiet:
        print(table(weigh(Path(image.archive), image.base_layers)), file=sys.stderr)
    print(image.name, image.archive, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

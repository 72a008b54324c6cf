"""An image of Redis for the cluster on this machine, with what the chart asks of one: a shell, the server, its client."""

from __future__ import annotations

from devcluster.images.base import find_base
from devcluster.images.build import Image, keep, kept
from devcluster.images.buildah import open_buildah
from devcluster.images.host import one_at_a_time, prepare, say

_RECIPE = """\
ARG BASE
FROM ${BASE}
USER 65532:65532
EXPOSE 6379
ENTRYPOINT ["redis-server"]
"""


def find_redis_image() -> Image:
    """Debian's Redis on Debian, made if need be. Raises ``ImageFailed``."""
    with one_at_a_time():
        prepare()
        base = find_base(("redis-server",))
        name = f"localhost/redis:{base.digest[:16]}"
        if (found := kept(name)) is not None:
            return found
        say(f"building {name}")
        with open_buildah() as buildah:
            below = buildah.add_base(base)
            recipe = buildah.scratch / "Dockerfile.redis"
            recipe.write_text(_RECIPE)
            buildah.build(name, recipe, buildah.scratch, seconds=0, arguments={"BASE": below})
            return keep(buildah, name, below)

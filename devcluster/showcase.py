"""``make cluster``: from nothing to an answered request on a real cluster: ``python -m devcluster.showcase up | down``.

On this machine's own cluster (``devcluster.cluster``), with images made here; or on the one that ``--kubeconfig`` names, with
an image that its nodes can pull. Every step can be repeated.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from devcluster.certificates import CertificatesFailed
from devcluster.client_pod import ask_once
from devcluster.images.build import find_image
from devcluster.images.host import ImageFailed
from devcluster.images.redis import find_redis_image
from devcluster.node.cluster import Cluster
from devcluster.node.settings import ClusterFailed
from devcluster.patience import progress
from devcluster.programs import ProgramMissing, program, programs
from devcluster.release import ROOT, Release, ReleaseFailed

EXAMPLES = ROOT / "examples" / "kubernetes"
DEMO = "default"
"""Where the examples go, and whoever asks: requests that name no workspace are in the one of that name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devcluster.showcase", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="a cluster, the chart, the examples, one request")
    down = commands.add_parser("down", help="remove what `up` made")
    for command in (up, down):
        command.add_argument("--kubeconfig", type=Path, help="another cluster instead of one on this machine")
    up.add_argument("--image", help="REPOSITORY:TAG that the nodes of another cluster can pull")
    given = parser.parse_args(arguments)
    if given.kubeconfig and not given.kubeconfig.is_file():
        parser.error(f"--kubeconfig {given.kubeconfig}: there is no such file")
    if given.command == "up" and bool(given.kubeconfig) != bool(given.image):
        parser.error(
            "another cluster takes both --kubeconfig FILE and --image REPOSITORY:TAG (make: KUBECONFIG=, IMAGE=)"
        )
    say = progress("cluster")
    try:
        if given.command == "down":
            _down(given.kubeconfig, say)
        elif given.kubeconfig:
            stop = f"make cluster-down KUBECONFIG={shlex.quote(str(given.kubeconfig))}"
            show(Release(given.kubeconfig), values_for(given.image), given.image, say, stop=stop)
        else:
            _up_here(say)
    except (CertificatesFailed, ClusterFailed, ImageFailed, OSError, ProgramMissing, ReleaseFailed) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted; the same command again goes on", file=sys.stderr)
        return 130
    return 0


def _up_here(say: Callable[[str], None]) -> None:
    cluster = Cluster(say=say)
    # First all that takes minutes, or shows what this machine lacks.
    cluster.prepare()
    programs(["kubectl", "helm"])
    image, redis = find_image(), find_redis_image()
    cluster.up()
    for each in (image, redis):
        for name in cluster.load_image(Path(each.archive)):
            say(f"loaded {name}")
    release = Release(cluster.kubeconfig, environment=cluster.environment)
    release.forget_interrupted()
    show(release, values_for(image.name, redis=redis.name), image.name, say, stop="make cluster-down")


def values_for(image: str, *, redis: str | None = None) -> dict[str, Any]:
    """Values of the chart: two routers, the simulated provider and, where there is an image of it, Redis without a volume."""
    repository, _, tag = image.rpartition(":")
    values: dict[str, Any] = {
        "image": {"repository": repository, "tag": tag},
        "simulatedProvider": {"enabled": True},
        "router": {"replicas": 2, "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
        "operator": {"resources": {"requests": {"cpu": "20m", "memory": "96Mi"}}},
        "redis": {"enabled": True, "persistence": {"enabled": False}},
    }
    if redis is not None:
        redis_repository, _, redis_tag = redis.rpartition(":")
        values["redis"]["image"] = {"repository": redis_repository, "tag": redis_tag}
    return values


def show(release: Release, values: dict[str, Any], image: str, say: Callable[[str], None], *, stop: str) -> None:
    """Install, apply the examples, ask once from a pod, and say how to go on and to ``stop``. Raises ``ReleaseFailed``."""
    say(f"installing the chart as {release.name} in {release.namespace}, and waiting for its pods")
    release.install(values)
    say("applying examples/kubernetes")
    release.apply(EXAMPLES)
    release.wait_until_ready(EXAMPLES)
    say("every provider and policy is Ready; asking from a pod")
    answered = ask_once(release, DEMO, image)
    kubectl = shlex.join([str(program("kubectl")), f"--kubeconfig={release.kubeconfig}"])
    namespace = release.namespace
    print(release.kubectl("get", "modelproviders,routingpolicies", f"--namespace={DEMO}"))
    print(answered)
    print(f"""
Use it:   export KUBECONFIG={release.kubeconfig}
          alias kubectl={program("kubectl")} helm={program("helm")}
From here:
          {kubectl} -n {namespace} port-forward service/{release.name}-router 3003:80 &
          curl -si localhost:3003/v1/chat/completions \\
            -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Hi"}}]}}'
Stop it:  {stop}""")


def _down(kubeconfig: Path | None, say: Callable[[str], None]) -> None:
    if kubeconfig is None:
        Cluster(say=say).down()
        return
    release = Release(kubeconfig)
    say(f"uninstalling {release.name} from {release.namespace}, with the examples")
    if "fairlead.dev" in release.kubectl("get", "customresourcedefinitions", "--output=name"):
        release.kubectl("delete", "--ignore-not-found", f"--filename={EXAMPLES}")
    release.helm("uninstall", release.name, "--ignore-not-found", "--wait")
    release.kubectl("delete", "namespace", release.namespace, "--ignore-not-found")
    say("the CRDs stay, as objects of other namespaces may need them; `kubectl delete -f crds/` removes them")


if __name__ == "__main__":
    sys.exit(main())

"""Install peers, or see whether each passes on what a mock says: ``python -m bench.peers {list,install,check} [NAME ...]``."""

from __future__ import annotations

import argparse

from bench.peers.cache import say
from bench.peers.check import check
from bench.peers.recipe import PeerUnavailable
from bench.peers.running import RECIPES, install, running_peer
from bench.proxy.processes import announcing_server


def main() -> int:
    """The exit status says whether all that was asked for is there, and right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["list", "install", "check"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}; all if none is given")
    given = parser.parse_args()
    names = given.names or list(RECIPES)
    if unknown := [name for name in names if name not in RECIPES]:
        parser.error(f"no peer is called {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    if given.verb == "list":
        for name in names:
            print(f"{name} {RECIPES[name].version}: takes {RECIPES[name].needs}")
        return 0
    right = [_installed(name) if given.verb == "install" else _checked(name) for name in names]
    return 0 if all(right) else 1


def _installed(name: str) -> bool:
    try:
        print(f"{name}: {install(name)}")
    except PeerUnavailable as error:
        say(str(error))
        return False
    return True


def _checked(name: str) -> bool:
    try:
        with (
            announcing_server("mock", "bench.proxy.mock") as mock,
            running_peer(name, f"http://127.0.0.1:{mock.port}/v1") as peer,
        ):
            wrong = check(peer)
            print(
                f"{name} {peer.version}: ready in {peer.ready_seconds:.2f} s, {'; '.join(wrong) or 'as it should be'}"
            )
            return not wrong
    except PeerUnavailable as error:
        say(str(error))
        return False


if __name__ == "__main__":
    raise SystemExit(main())

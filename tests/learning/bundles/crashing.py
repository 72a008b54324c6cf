"""A program that does one thing to a store again and again, and is killed a step later each time.

    python crashing.py TEMPLATE WORK install BUNDLE | activate NAME | rollback | prune

Before try ``n`` the store TEMPLATE is copied to WORK/n; its process kills itself before its n-th change of the file
system. Prints the number of tries: the last is the first that came to its end.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from fairlead_learning.bundles.store import BundleStore
from fairlead_learning.bundles.verify import verify_files

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.chmod", "shutil.copyfile"}


def act(store: BundleStore, action: str, argument: str) -> None:
    """What the command line calls by the same name."""
    match action:
        case "install":
            store.install(Path(argument))
        case "activate":
            store.activate(argument)
        case "rollback":
            store.rollback()
        case "prune":
            store.prune(int(argument))


def die_before(change: int) -> None:
    """Let this process be killed as by the system, in the middle of whatever it does."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in _CHANGES or writes:
            seen += 1
            if seen == change:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main() -> None:
    """See above."""
    template, work, action = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    for attempt in range(1, 1000):
        shutil.copytree(template, work / str(attempt))
        child = os.fork()
        if child == 0:
            die_before(attempt)
            act(BundleStore(work / str(attempt), verify_files), action, "".join(sys.argv[4:]))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            print(attempt)
            raise SystemExit(os.WEXITSTATUS(status))
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise SystemExit("never came to its end")


if __name__ == "__main__":
    main()

"""``python -m devcluster up | down [--delete]``: Fairlead on a control plane of its own, in the background.

``up`` starts a supervisor (``python -m devcluster run``) in a session of its own and waits until all is ready. The supervisor
starts every other process, and the kernel kills those if it dies. As long as it lives it holds a lock, so nobody has to believe
a file that says so. Everything it knows is in one folder, and taken up again the next time.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from devcluster.binaries import find_binaries
from devcluster.certificates import CertificatesFailed
from devcluster.control_plane import KubectlFailed, running_control_plane
from devcluster.installation import ROOT, Installation, free_port
from devcluster.processes import Process, ProcessFailed
from devcluster.programs import ProgramMissing

_ROUTERS = 2
_FIRST_PORT, _FIRST_ADMIN_PORT = 3003, 9090
_START_SECONDS, _STOP_SECONDS = 180.0, 45.0
_GLANCE_SECONDS = 1.0
"""Whoever looks whether the lock is held has it for a moment, which is not to be taken for a supervisor."""
_SETTLE_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_RESTART_SECONDS = (1.0, 30.0)
_KINDS = "modelproviders,routingpolicies,abtests,workspacebudgets"
_EXAMPLES = ROOT / "examples" / "quickstart"
_BODY = '{"model": "auto", "messages": [{"role": "user", "content": "Which way?"}]}'


@dataclass(frozen=True, slots=True)
class State:
    """What a person needs to know of a running cluster."""

    supervisor: int
    """Who says so."""
    kubeconfig: str
    kubectl: str
    routers: list[str]
    """URLs of the client API."""
    admin: list[str]
    """URLs of metrics and decisions."""
    operator: str
    """URL of the operator's probes and metrics."""


class Place:
    """The folder of one cluster, and who may run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "supervisor.log"
        self._lock = folder / "supervisor.lock"
        self._state = folder / "state.json"

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Whether this process has the folder for itself now. The kernel lets go for a process that dies."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            deadline = time.monotonic() + _GLANCE_SECONDS
            while not _locks(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    yield False
                    return
                time.sleep(0.01)
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            try:
                yield True
            finally:
                file.truncate(0)

    @property
    def supervisor(self) -> int | None:
        """The process that holds the folder; ``None`` if there is none, 0 if it has not said its number yet."""
        try:
            with self._lock.open() as file:
                if not _locks(file, fcntl.LOCK_SH):
                    return int(file.read().strip() or 0)
        except FileNotFoundError:
            pass
        return None

    def read(self) -> State | None:
        """What the supervisor that now runs announced; ``None`` until all is ready."""
        with suppress(FileNotFoundError, ValueError, TypeError):  # another version's, perhaps
            state = State(**json.loads(self._state.read_text()))
            return state if state.supervisor == self.supervisor else None
        return None

    def announce(self, state: State) -> None:
        """All is ready."""
        draft = self._state.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(state), indent=1))
        draft.replace(self._state)

    def forget_logs(self) -> None:
        """Those of the last time; the data stays."""
        for log in [*self.folder.glob("*.log"), *self.folder.glob("control-plane/*.log")]:
            if log != self.log:
                log.unlink()


def _locks(file: TextIO, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------- up and down


def up(place: Place) -> int:
    """Start it unless it runs, wait until all is ready, say how to use it."""
    child = None
    if place.supervisor is not None:
        _say("it is running already")
    else:
        try:
            find_binaries()  # here, as this can take minutes and says what it does
        except ProgramMissing as error:
            print(error, file=sys.stderr)
            return 1
        child = _spawn(place)
    try:
        state = _wait_until_ready(place, child)
    except KeyboardInterrupt:
        _say("it goes on starting in the background; `make dev-cluster-down` stops it")
        return 130
    if state is None:
        return 1
    print(_manual(state))
    return 0


def down(place: Place, *, delete: bool) -> int:
    """Stop it if it runs, and wait until nothing of it is left."""
    supervisor = place.supervisor
    if supervisor is None:
        _say("it does not run")
    deadline = time.monotonic() + _STOP_SECONDS
    asked = 0
    while (supervisor := place.supervisor) is not None:
        overdue = time.monotonic() > deadline
        if supervisor and (supervisor != asked or overdue):
            # Its children go with it, whichever way.
            with suppress(ProcessLookupError):
                os.kill(supervisor, signal.SIGKILL if overdue else signal.SIGTERM)
            asked = supervisor
        time.sleep(0.05)
    if asked:
        _say("stopped")
    if delete and place.folder.exists():
        shutil.rmtree(place.folder)
        _say(f"{place.folder} is deleted")
    return 0


def _spawn(place: Place) -> subprocess.Popen[bytes]:
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.log.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "devcluster", "run", "--directory", str(place.folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_until_ready(place: Place, child: subprocess.Popen[bytes] | None) -> State | None:
    """Print what the supervisor says until it has announced itself, or has ended."""
    told = 0
    deadline = time.monotonic() + _START_SECONDS
    while True:
        gone = place.supervisor is None and (child is None or child.poll() is not None)
        state = place.read()
        if state is not None:
            return state
        text = place.log.read_text()
        whole = text[: text.rfind("\n") + 1]
        print(whole[told:], end="", flush=True)
        told = len(whole)
        if gone or time.monotonic() > deadline:
            print(f"It is not ready. Logs are in {place.folder}; `make dev-cluster-down` cleans up.", file=sys.stderr)
            return None
        time.sleep(0.1)


def _manual(state: State) -> str:
    kubectl = "" if shutil.which("kubectl") else f"\n  alias kubectl={state.kubectl}"
    routers = "\n".join(
        f"  {url}    metrics and decisions: {admin}" for url, admin in zip(state.routers, state.admin, strict=True)
    )
    return f"""
The control plane, the operator and {len(state.routers)} routers run in the background.

  export KUBECONFIG={state.kubeconfig}{kubectl}
  kubectl get modelproviders,routingpolicies

Routers:
{routers}
Operator:
  {state.operator}/metrics

Try:
  curl -i {state.routers[0]}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{_BODY}'
  kubectl edit routingpolicy chat     # the next request obeys

Stop with `make dev-cluster-down`; the data stays for the next time.
"""


# ---------------------------------------------------------------------------------------------------- the supervisor


def run(place: Place) -> int:
    """Own every process of the cluster until SIGTERM."""
    with place.held() as free:
        if not free:
            return 0  # another `up` was faster
        place.forget_logs()
        try:
            asyncio.run(_supervise(place))
        except (ProgramMissing, CertificatesFailed, KubectlFailed, ProcessFailed, OSError) as error:
            _say(str(error))
            return 1
    return 0


async def _supervise(place: Place) -> None:
    working = asyncio.current_task()
    assert working is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, working.cancel)
    with suppress(asyncio.CancelledError):
        _say("starting etcd, kube-apiserver and kube-controller-manager")
        async with running_control_plane(place.folder / "control-plane") as control_plane:
            installation = Installation(control_plane, place.folder)
            try:
                place.announce(await _install(installation))
                parts = [control_plane.etcd, control_plane.api_server, control_plane.controller_manager]
                parts += [*installation.operators, *(router.process for router in installation.routers)]
                async with asyncio.TaskGroup() as group:
                    for part in parts:
                        if part is not None:
                            group.create_task(_keep_running(part))
            finally:
                _say("stopping")
                await installation.stop()


async def _install(installation: Installation) -> State:
    control_plane = installation.control_plane
    _say("applying CRDs and permissions")
    await installation.install()
    found = await control_plane.kubectl("get", _KINDS, "--all-namespaces", "--output=name")
    if not found.strip():
        _say(f"applying {_EXAMPLES.relative_to(ROOT)}")
        await control_plane.kubectl("apply", "-f", _EXAMPLES)
    _say(f"starting {_ROUTERS} routers and the operator")
    for number in range(_ROUTERS):
        await installation.add_router(port=_port(_FIRST_PORT + number), admin_port=_port(_FIRST_ADMIN_PORT + number))
    operator_port = free_port()
    await installation.add_operator("--http-port", str(operator_port), environment={"FAIRLEAD_HTTP_HOST": "127.0.0.1"})
    for router in installation.routers:
        await router.process.wait_until(router.ready, "being ready", _SETTLE_SECONDS)
    try:
        await installation.wait_until_converged(_SETTLE_SECONDS)
    except TimeoutError as error:
        _say(f"{error}; this may be as it should, `kubectl describe` tells")
    return State(
        supervisor=os.getpid(),
        kubeconfig=str(control_plane.admin_kubeconfig),
        kubectl=str(control_plane.kubectl_binary),
        routers=[f"http://localhost:{router.port}" for router in installation.routers],
        admin=[f"http://localhost:{router.admin_port}" for router in installation.routers],
        operator=f"http://localhost:{operator_port}",
    )


async def _keep_running(process: Process) -> None:
    """Start it again whenever it has ended, later each time that it does not last."""
    first, longest = _RESTART_SECONDS
    pause, started = first / 2, time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if process.running:
            continue
        pause = first if time.monotonic() - started > 2 * longest else min(2 * pause, longest)
        _say(f"{process.name} has ended and is started again in {pause:.0f} s; {process.log} may say why")
        await asyncio.sleep(pause)
        process.start()
        started = time.monotonic()


def _port(wanted: int) -> int:
    """``wanted``, so that addresses stay the same from one time to the next, or another if somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
    return wanted


def _say(text: str) -> None:
    print(f"dev-cluster: {text}", flush=True)


# ---------------------------------------------------------------------------------------------------- command line


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devcluster", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "run"], help="run: what `up` starts in the background")
    parser.add_argument(
        "--directory",
        type=Path,
        help="where data, logs and kubeconfig are (default: fairlead/dev-cluster in $XDG_STATE_HOME or ~/.local/state)",
    )
    parser.add_argument("--delete", action="store_true", help="down: delete the data too")
    options = parser.parse_args(arguments)
    place = Place((options.directory or _default_directory()).resolve())
    if options.command == "run":
        return run(place)
    return up(place) if options.command == "up" else down(place, delete=options.delete)


def _default_directory() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "fairlead" / "dev-cluster"


if __name__ == "__main__":
    raise SystemExit(main())

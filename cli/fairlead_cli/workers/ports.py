"""The client port of several workers: one listening socket for each, all on the same address."""

from __future__ import annotations

import socket
from contextlib import ExitStack

_BACKLOG = 1024


def listening_sockets(host: str, port: int, count: int) -> list[socket.socket]:
    """``count`` sockets on one port, among which the kernel spreads connections (SO_REUSEPORT).

    Port 0 is any free one. Raises ``OSError``: a port on which somebody else listens is refused, although the kernel would
    share it among processes of one user.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, address)
    with ExitStack() as stack:
        sockets = []
        for _ in range(count):
            each = stack.enter_context(socket.socket(family, kind, protocol))
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            _bind(each, address)
            address = each.getsockname()
            each.listen(_BACKLOG)
            each.setblocking(False)
            sockets.append(each)
        stack.pop_all()
        return sockets


def _bind(sock: socket.socket, address: object) -> None:
    try:
        sock.bind(address)  # type: ignore[arg-type]
    except OSError as error:
        raise OSError(error.errno, f"{address}: {error.strerror}") from error

"""The listening sockets of workers: one port, shared among ourselves and with nobody else."""

from __future__ import annotations

import socket

import pytest

from fairlead_cli.workers.ports import listening_sockets


def test_all_sockets_have_one_port_also_when_any_would_do_and_connections_reach_each() -> None:
    sockets = listening_sockets("127.0.0.1", 0, 3)
    try:
        [address] = {each.getsockname() for each in sockets}
        clients = [socket.create_connection(address) for _ in range(60)]
        accepted = [0, 0, 0]
        for number, each in enumerate(sockets):
            while True:
                try:
                    each.accept()[0].close()
                except BlockingIOError:
                    break
                accepted[number] += 1
        assert sum(accepted) == 60
        assert min(accepted) > 0
        for client in clients:
            client.close()
    finally:
        for each in sockets:
            each.close()


def test_a_port_on_which_anybody_listens_is_refused_although_the_kernel_would_share_it() -> None:
    first = listening_sockets("127.0.0.1", 0, 2)
    try:
        port = first[0].getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            listening_sockets("127.0.0.1", port, 2)
    finally:
        for each in first:
            each.close()


def test_an_address_of_the_other_family_works_too() -> None:
    if not socket.has_dualstack_ipv6():
        return
    [only] = listening_sockets("::1", 0, 1)
    assert only.family == socket.AF_INET6
    only.close()

"""The pieces of the bench work: the mock, the load generator, the proxies of our own, the cache for those of others."""

from __future__ import annotations

import http.client
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pytest

from bench.gateways.cases import counts
from bench.gateways.servers import running_mock
from bench.peers.cache import kept
from bench.peers.check import check
from bench.peers.recipe import PeerUnavailable
from bench.peers.running import RECIPES, Peer, running_peer
from bench.proxy.mock import EVENTS
from bench.proxy.processes import free_port, load
from bench.proxy.requests import chat_body, varied
from devcluster.cache import cache_folder


@pytest.fixture(scope="module")
def mock() -> Iterator[Peer]:
    with running_mock(set()) as server:
        yield server


def _ask(mock: Peer, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_mock_answers_whole_and_in_events(mock: Peer) -> None:
    assert check(mock) == []
    status, stream = _ask(mock, "POST", mock.path, json.dumps(chat_body("m", stream=True)).encode())
    assert (status, stream.count(b"data: ")) == (200, EVENTS)


def test_the_mock_waits_as_it_is_told(mock: Peer) -> None:
    _ask(mock, "POST", "/-/delay/80")
    began = perf_counter()
    _ask(mock, "POST", mock.path, json.dumps(chat_body("m", stream=False)).encode())
    assert perf_counter() - began >= 0.08
    _ask(mock, "POST", "/-/delay/0")


def test_the_mock_takes_telemetry_and_counts_it(mock: Peer) -> None:
    before = counts(mock)
    assert _ask(mock, "POST", "/v1/traces", b"\x0a\x00") == (200, b"")
    assert counts(mock)["traces"] == before["traces"] + 1
    assert _ask(mock, "GET", "/v1/nothing")[0] == 404


@pytest.mark.parametrize("options", [[], ["--stream"], ["--varied", "7"]], ids=["whole", "stream", "varied"])
def test_the_load_generator_finds_nothing_wrong_with_the_mock(mock: Peer, options: list[str]) -> None:
    before = counts(mock)["chat"]
    found = load(mock, 4, 0.1, *options)
    assert found["wrong"] == 0
    assert 4 <= found["all"] == counts(mock)["chat"] - before


def test_the_load_generator_counts_what_is_no_answer(mock: Peer) -> None:
    found = load(mock, 1, 0.05, "--path", "/v1/nothing")
    assert found["all"] == found["wrong"] > 0
    assert found["per_second"] == 0


@pytest.mark.parametrize(
    ("last", "wrong"), [(b"data: [DONE]\n\n", False), (b"data: {}\n\n", True)], ids=["with [DONE]", "without"]
)
def test_the_load_generator_takes_no_stream_without_its_end(last: bytes, wrong: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(last), last)

    class Provider(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65536):  # a request fits into one packet
                self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Provider) as server:
        threading.Thread(target=server.serve_forever).start()
        connection = _Loaded(server.server_address[1])
        found = load(connection, 1, 0.05, "--stream")
        server.shutdown()
    assert (found["wrong"] > 0) is wrong
    assert (found["answers"] > 0) is not wrong


@dataclass
class _Loaded:
    port: int

    def cpu_seconds(self) -> float:
        return 0.0


def test_varied_requests_have_new_sessions_and_one_stream_in_ten() -> None:
    requests = varied(1, 7, path="/", model="m", headers={"x-fairlead-user": "user-7", "x-other": "kept"})
    sent = [next(requests) for _ in range(100)]
    assert sum(request.stream for request in sent) == 10
    heads = [request.data.partition(b"\r\n\r\n")[0].split(b"\r\n") for request in sent]
    assert len({line for head in heads for line in head if line.startswith(b"x-fairlead-session: ")}) == 100
    assert all(sum(line.startswith(b"x-fairlead-user: ") for line in head) == 1 for head in heads)
    assert all(b"x-other: kept" in head for head in heads)
    for request in sent:
        assert json.loads(request.data.partition(b"\r\n\r\n")[2]).get("stream", False) is request.stream


@pytest.mark.timeout(300)  # the first time, Go compiles its standard library
@pytest.mark.parametrize("name", ["go", "bare-aiohttp"])
def test_a_proxy_passes_on_what_the_mock_says(mock: Peer, name: str) -> None:
    with running_peer(name, f"{mock.base_url}/v1") as peer:
        assert check(peer) == []
        assert load(peer, 4, 0.1, "--stream")["wrong"] == 0
        assert peer.resident_mib() > 1
        assert peer.ready_seconds > 0
        pid = peer.pid
    assert not Path(f"/proc/{pid}").exists()


def test_a_peer_in_front_of_nothing_is_found_wrong() -> None:
    with running_peer("bare-aiohttp", f"http://127.0.0.1:{free_port()}/v1") as peer:
        (whole, *_) = check(peer)
    assert whole.startswith("whole answer: status")


def test_the_cache_is_filled_once_however_many_come_at_a_time(tmp_path: Path) -> None:
    filled: list[Path] = []
    both = threading.Barrier(4)

    def come() -> None:
        both.wait()
        kept("thing", "1.0", filled.append, within=tmp_path)

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled == [tmp_path / "thing-1.0"]


def test_what_a_broken_installation_left_is_thrown_away(tmp_path: Path) -> None:
    def break_off(folder: Path) -> None:
        (folder / "half").touch()
        raise PeerUnavailable("the registry went away")

    with pytest.raises(PeerUnavailable, match="went away"):
        kept("thing", "1.0", break_off, within=tmp_path)
    folder = kept("thing", "1.0", lambda folder: (folder / "whole").touch(), within=tmp_path)
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == {"whole"}


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"FAIRLEAD_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a/fairlead/peers"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/fairlead/peers"),
        ({}, f"{Path.home()}/.cache/fairlead/peers"),
    ],
)
def test_peers_are_kept_outside_the_tree(environment: dict[str, str], folder: str) -> None:
    assert cache_folder("peers", environment) == Path(folder)


def test_every_peer_has_an_exact_version() -> None:
    assert all(recipe.version and not set(recipe.version) & set("*<>=~") for recipe in RECIPES.values())

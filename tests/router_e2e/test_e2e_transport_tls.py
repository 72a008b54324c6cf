"""The transport over TLS, with certificates of the test's own."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from multidict import CIMultiDict
from yarl import URL

from fairlead_router.dispatch.transport.base import CallFailed
from fairlead_router.dispatch.transport.http1 import Http1Transport
from fairlead_router.settings import Settings, networks

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    public, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-noenc",
        "-days",
        "2",
    ]
    command += [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-out",
        str(public),
        "-keyout",
        str(key),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return public, key


@asynccontextmanager
async def tls_server(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[int, list[str | None]]]:
    """Its port, and the protocol that each connection agreed on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    agreed: list[str | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        agreed.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        try:
            while await reader.readuntil(b"\r\n\r\n{}"):
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], agreed


async def ask(to: Http1Transport, host: str, port: int) -> bytes:
    url = URL(f"https://{host}:{port}/")
    answer = await to.request("POST", url, CIMultiDict(), b"{}", connect_seconds=10)
    try:
        return await answer.read(100)
    finally:
        answer.close()


async def test_a_trusted_certificate_for_the_name_is_spoken_to_in_http_1_on_a_kept_connection(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with tls_server(certificate) as (port, agreed):
        to = Http1Transport(Settings(allow_networks=networks("loopback")))
        assert await ask(to, "localhost", port) == b"hello"
        assert await ask(to, "localhost", port) == b"hello"
        await to.close()
    assert agreed == ["http/1.1"]


@pytest.mark.parametrize(
    ("host", "trusted"), [("localhost", False), ("127.0.0.1", True)], ids=["untrusted", "another name"]
)
async def test_a_certificate_that_does_not_vouch_is_refused_and_nothing_was_sent(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with tls_server(certificate) as (port, agreed):
        to = Http1Transport(Settings(allow_networks=networks("loopback")))
        with pytest.raises(CallFailed) as raised:
            await ask(to, host, port)
        assert (raised.value.error, raised.value.connected) == ("tls_failed", False)
        await to.close()
    assert agreed == []


async def test_a_server_that_does_not_speak_tls_is_told_apart_from_one_that_cannot_be_reached() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        to = Http1Transport(Settings(allow_networks=networks("loopback")))
        with pytest.raises(CallFailed) as raised:
            await ask(to, "localhost", server.sockets[0].getsockname()[1])
        assert raised.value.error == "tls_failed"
        await to.close()

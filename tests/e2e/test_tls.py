"""HTTPS with a certificate of our own, renewed while a class is watched."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import m3u8
import pytest

from tests.support.certificates import write_certificate
from tests.support.hall import ADMIN_PASSWORD, Api, Hall
from tests.support.publisher import publish
from tests.support.shared_hall import SharedHall
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def secure_halls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedHall]:
    """Shared by this module's tests; the certificate lies beside its folder."""
    folder = tmp_path_factory.mktemp("secure")
    cert, key = write_certificate(folder)
    env = {"HALL_TLS_CERT": str(cert), "HALL_TLS_KEY": str(key)}
    shared = SharedHall(folder, env=env)
    yield shared
    shared.close_blocking()


@pytest.fixture
async def secure_hall(secure_halls: SharedHall) -> AsyncIterator[tuple[Hall, Path]]:
    """A hall and its certificate, valid now."""
    async with secure_halls.lend() as hall:
        yield hall, hall.folder.parent / "site.pem"


async def test_https_is_http2_with_secure_cookies(secure_hall: tuple[Hall, Path]) -> None:
    hall, cert = secure_hall
    assert await asyncio.to_thread(_negotiate_blocking, hall, cert) == "h2"
    if shutil.which("curl"):
        assert await _curl_version(hall, cert) == "2 204"
    body = {"login": "admin", "password": ADMIN_PASSWORD}
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=cert))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(hall.origin + "/api/v1/session", json=body) as response,
    ):
        assert response.status == 200
        cookie = response.cookies["hall_session"]
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert "max-age=31536000" in response.headers["Strict-Transport-Security"]
    made = await (await hall.admin()).make_class()
    assert made["watch_url"].startswith(hall.origin)


async def test_renewed_certificate_is_taken_while_members_watch(
    secure_hall: tuple[Hall, Path], tmp_path: Path
) -> None:
    hall, cert = secure_hall
    first = await asyncio.to_thread(_served_certificate_blocking, hall)
    assert first == cert.read_text()
    admin = await hall.admin()
    made = await admin.make_class()
    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        live = await admin.wait_for_state(made["id"], "live")
        viewer = Viewer(hall.api(), live["playback"]["hls_url"].replace("index", "av"))
        async with viewer.watching():
            await eventually(lambda: viewer.reloads_count >= 2, timeout_s=20)

            # Half of a renewal: the new certificate does not fit the old key.
            other, _ = write_certificate(tmp_path)
            shutil.copy(other, cert)
            await eventually(lambda: "certificate_not_usable" in hall.log_path.read_text())
            assert await asyncio.to_thread(_served_certificate_blocking, hall) == first

            write_certificate(cert.parent)
            await eventually(
                lambda: asyncio.to_thread(lambda: _served_certificate_blocking(hall) != first),
                timeout_s=15,
                message="the old certificate is still served",
            )
            assert await asyncio.to_thread(_served_certificate_blocking, hall) == cert.read_text()
            before = viewer.reloads_count
            await eventually(lambda: viewer.reloads_count >= before + 3, timeout_s=20)
        assert viewer.failures == []


class Viewer:
    """Blocking reloads one after the other, so that one is always under way."""

    def __init__(self, api: Api, url: str) -> None:
        self._api, self._url = api, url
        self.reloads_count = 0
        self.failures: list[str] = []

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        query = ""
        while True:
            try:
                status, body = await self._api.fetch(self._url + query)
            except aiohttp.ClientError as error:
                self.failures.append(repr(error))
                return
            if status != 200:
                self.failures.append(f"{status} {query}")
                return
            playlist = m3u8.loads(body.decode())
            query = f"?_HLS_msn={(playlist.media_sequence or 0) + len(playlist.segments)}"
            self.reloads_count += 1


def _negotiate_blocking(hall: Hall, cert: Path) -> str | None:
    """The protocol that a browser and the gate agree on (ALPN)."""
    import socket

    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", hall.http_port), timeout=15) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.selected_alpn_protocol()


def _served_certificate_blocking(hall: Hall) -> str:
    return ssl.get_server_certificate(("127.0.0.1", hall.http_port), timeout=15)


async def _curl_version(hall: Hall, cert: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--http2", "--cacert", str(cert), "-o", "/dev/null",
        "-w", "%{http_version} %{http_code}", hall.origin + "/readyz",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(45):
        return (await process.communicate())[0].decode()

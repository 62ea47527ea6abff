"""The real streamer as a process, ffmpeg as its publisher, and HTTP clients for its sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from kernel.config import Settings, load_settings
from tests.support.ports import find_free_port
from tests.support.waiting import eventually

START_TIMEOUT_S = 20.0
MAIN = (
    "import asyncio, signal\n"
    "from kernel.config import load_settings\n"
    "from kernel.log import configure_logging\n"
    "from streamer.app import serve\n"
    "async def main():\n"
    "    task = asyncio.ensure_future(serve(load_settings()))\n"
    "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)\n"
    "    await asyncio.gather(task, return_exceptions=True)\n"
    "    if not task.cancelled(): task.result()\n"
    "configure_logging(service='streamer', style='json')\n"
    "asyncio.run(main())\n"
)


@dataclass
class StreamerProcess:
    """One data folder; the process can be killed, stopped and started again on it."""

    folder: Path
    extra_env: dict[str, str] = field(default_factory=dict)
    rtmp_port: int = field(default_factory=find_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        return load_settings(
            data=self.folder / "data", run_dir=self.folder / "run", rtmp_port=self.rtmp_port
        )

    @property
    def log(self) -> str:
        return (self.folder / "streamer.log").read_text(errors="replace")

    async def start(self) -> None:
        env = {
            **os.environ,
            **self.extra_env,
            "HALL_DATA": str(self.folder / "data"),
            "HALL_RUN_DIR": str(self.folder / "run"),
            "HALL_RTMP_PORT": str(self.rtmp_port),
        }

        def spawn() -> subprocess.Popen[bytes]:
            with (self.folder / "streamer.log").open("ab") as log:
                return subprocess.Popen(
                    [sys.executable, "-c", MAIN],
                    env=env,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    cwd=Path(__file__).parents[2],
                )

        self.process = await asyncio.to_thread(spawn)
        await eventually(self._is_ready, timeout_s=START_TIMEOUT_S, message="streamer is ready")

    async def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"streamer stopped:\n{self.log[-4000:]}")
        try:
            async with self.internal() as client, client.get("/internal/ready") as answer:
                is_ready = answer.status == 204
            _, writer = await asyncio.open_connection("127.0.0.1", self.rtmp_port)
            writer.close()
            await writer.wait_closed()
        except (aiohttp.ClientError, OSError):
            return False
        return is_ready

    @asynccontextmanager
    async def internal(self) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.UnixConnector(str(self.settings.sockets / "streamer-internal.sock"))
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession("http://s", connector=connector, timeout=timeout) as one:
            yield one

    @asynccontextmanager
    async def public(self) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.UnixConnector(str(self.settings.sockets / "streamer.sock"))
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession("http://s", connector=connector, timeout=timeout) as one:
            yield one

    async def get(self, path: str, *, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        async with self.public() as client, client.get(path, headers=headers) as answer:
            return answer.status, await answer.read()

    async def status(self, broadcast_id: str) -> dict:
        path = f"/internal/broadcasts/{broadcast_id}"
        async with self.internal() as client, client.get(path) as answer:
            return await answer.json() if answer.status == 200 else {"state": answer.status}

    async def post(self, path: str, body: object = None) -> int:
        async with self.internal() as client, client.post(path, json=body) as answer:
            return answer.status

    async def kill(self) -> None:
        """kill -9."""
        await self._stop(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and wait for the structured end."""
        await self._stop(signal.SIGTERM)

    async def _stop(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            await asyncio.to_thread(self.process.wait, 20)


@asynccontextmanager
async def run_streamer(folder: Path, **env: str) -> AsyncIterator[StreamerProcess]:
    streamer = StreamerProcess(folder, env)
    try:
        await streamer.start()
        yield streamer
    finally:
        await streamer.kill()


@asynccontextmanager
async def publish(
    ffmpeg: str, url: str, *, size: str = "320x180", rate: int = 25, sample_rate: int = 48_000
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """ffmpeg publishes a moving test picture with a tone in real time until left."""
    command = [
        ffmpeg, "-hide_banner", "-loglevel", "warning", "-nostdin",
        "-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}",
        "-re", "-f", "lavfi", "-i", f"sine=frequency=440:sample_rate={sample_rate}",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-b:v", "300k",
        "-g", str(rate * 2), "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-b:a", "64k", "-ar", str(sample_rate),
        "-f", "flv", url,
    ]  # fmt: skip
    process = await asyncio.to_thread(
        lambda: subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    )
    try:
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)

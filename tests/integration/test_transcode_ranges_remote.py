"""Ranges of a file that lies in an object store: read in place, over connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web

from kernel.blobs import open_blob_store
from kernel.blobs.directory import DirectoryBlobStore
from kernel.config import load_settings
from kernel.errors import EncodeError
from tests.support.file_ranges import (
    Stored,
    build_context,
    build_rung,
    hash_plain,
    hash_ranges,
    store_file,
)
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer
from tests.support.synthetic_recording import run_ffmpeg
from transcode.context import describe_command
from transcode.sources import open_source
from transcode.specs import EncodeVideoSpec, Grid
from transcode.units.encode_video import encode_video

RATE = Fraction(25)
RUNGS = (build_rung("top", RATE),)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[tuple[Stored, Path]]:
    """13 s of noise, so that the file is larger than what is read ahead; its index comes last."""
    path = tmp_path / "source.mp4"
    await asyncio.to_thread(
        run_ffmpeg,
        *["-f", "lavfi", "-t", 13, "-i", "testsrc2=s=160x90:r=25,noise=alls=60:allf=t"],
        *["-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-g", "50", "-bf", "2"],
        *["-pix_fmt", "yuv420p", path],
    )
    stored = await store_file(tmp_path, path, demuxer="mov", rate=RATE)
    yield stored, path
    await stored.store.close()


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read in place, too, and a lost connection is given up soon."""
    monkeypatch.setattr("transcode.sources.MAX_COPY_BYTES", 0)
    monkeypatch.setattr("transcode.commands.base.RECONNECT_TOTAL_S", 2)
    monkeypatch.setattr("transcode.commands.base.RECONNECT_MAX_S", 1)


@pytest.mark.usefixtures("in_place")
async def test_ranges_are_read_from_a_real_object_store(
    tmp_path: Path, local: tuple[Stored, Path], seaweed: SeaweedServer
) -> None:
    stored, path = local
    settings = load_settings(
        data=tmp_path / "data",
        blobs_url=seaweed.blobs_url(f"ranges-{uuid4().hex[:12]}"),
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
    )
    store = open_blob_store(settings)
    await store.put_file(stored.source.key, path, content_type="video/mp4")
    there = replace(stored, store=store)
    context = build_context(store, tmp_path / "x")
    media = await open_source(context, stored.source)
    assert not media.is_local
    assert "Signature" in media.address
    assert "Signature" not in describe_command(["ffmpeg", "-i", media.address])
    plain = await asyncio.to_thread(hash_plain, path, tmp_path)
    found = await hash_ranges(tmp_path / "cut", there, RUNGS, range_s=4)
    await store.close()
    assert found["top"] == plain


@dataclass
class Shaky:
    """Serves one file by ranges; every answer breaks off after ``answer_bytes``.

    After ``patience`` answers it serves nothing any more.
    """

    data: bytes
    answer_bytes: int
    patience: int = 10_000
    answers: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.answers.append(request.headers.get("Range", ""))
        if len(self.answers) > self.patience:
            return web.Response(status=503)
        start = request.http_range.start or 0
        body = self.data[start:]
        response = web.StreamResponse(
            status=206,
            headers={
                "Content-Length": str(len(body)),
                "Content-Range": f"bytes {start}-{len(self.data) - 1}/{len(self.data)}",
                "Accept-Ranges": "bytes",
            },
        )
        await response.prepare(request)
        await response.write(body[: self.answer_bytes])
        if len(body) > self.answer_bytes and request.transport is not None:
            request.transport.close()
        return response


class RemoteBlobStore(DirectoryBlobStore):
    """A directory that can only be reached over HTTP."""

    url = ""

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 - nothing is local
        return None

    async def read_url(self, key: str, *, expires_s: int) -> str | None:  # noqa: ARG002
        return f"{self.url}/{key}?X-Amz-Signature=secret"


@asynccontextmanager
async def serve(shaky: Shaky, folder: Path, stored: Stored) -> AsyncIterator[Stored]:
    app = web.Application()
    app.router.add_get("/{key:.*}", shaky.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    store = RemoteBlobStore(folder / "blobs")
    store.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield replace(stored, store=store)
    finally:
        await store.close()
        await runner.cleanup()


@pytest.mark.usefixtures("in_place")
async def test_connections_that_break_cost_no_frame(
    tmp_path: Path, local: tuple[Stored, Path]
) -> None:
    stored, path = local
    shaky = Shaky(await asyncio.to_thread(path.read_bytes), answer_bytes=300_000)
    plain = await asyncio.to_thread(hash_plain, path, tmp_path)
    async with serve(shaky, tmp_path, stored) as there:
        found = await hash_ranges(tmp_path / "cut", there, RUNGS, range_s=600)
    assert len(shaky.answers) > len(shaky.data) // 300_000, "they did break"
    assert found["top"] == plain


@pytest.mark.usefixtures("in_place")
async def test_a_store_that_stays_away_fails_the_unit_for_now(
    tmp_path: Path, local: tuple[Stored, Path]
) -> None:
    """Never a rung whose second half is a frozen picture."""
    stored, path = local
    shaky = Shaky(await asyncio.to_thread(path.read_bytes), answer_bytes=300_000, patience=6)
    spec = EncodeVideoSpec(
        start_ticks=0,
        end_ticks=stored.duration_ticks,
        grid=Grid.regular(RATE),
        source=stored.source,
        decode=stored.decode,
        shape=None,
        rungs=RUNGS,
        colour="bt709",
        preset="ultrafast",
    )
    async with serve(shaky, tmp_path, stored) as there:
        context = build_context(there.store, tmp_path / "x", spec)
        with pytest.raises(EncodeError) as caught:
            await encode_video(context)
    assert not caught.value.permanent
    assert "secret" not in str(caught.value)
    assert "secret" not in context.log_tail

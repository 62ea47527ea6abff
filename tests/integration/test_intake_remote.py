"""An upload in an object store is looked at where it lies, through an address that expires."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from kernel.blobs import open_blob_store
from kernel.config import load_settings
from kernel.errors import DependencyError
from kernel.messages import ClaimedUnit, PlanReport
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY, SeaweedServer
from tests.support.synthetic_recording import FFMPEG, FFPROBE, run_ffmpeg
from transcode.context import ProgressCell, UnitContext
from transcode.settings import Programs
from transcode.units.plan_upload import plan_upload


def claim(size_bytes: int) -> ClaimedUnit:
    spec = {"upload": {"key": "uploads/u1", "size_bytes": size_bytes, "filename": "第一讲.mp4"}}
    return ClaimedUnit(
        unit_id="u", job_id="j", key="plan", kind="plan_upload", fence=1, attempt=1, lease_s=60,
        lecture_id="l", asset_id="a", plan_hash=None, spec=spec, inputs={},
    )  # fmt: skip


async def test_an_upload_is_planned_without_a_copy_and_its_address_stays_secret(
    seaweed: SeaweedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcode.sources.MAX_COPY_BYTES", 0)
    film = tmp_path / "film.mp4"
    await asyncio.to_thread(
        run_ffmpeg,
        *["-f", "lavfi", "-t", "4", "-i", "testsrc2=s=160x90:r=25"],
        *["-f", "lavfi", "-t", "4", "-i", "sine=r=48000", "-c:v", "libx264", "-preset"],
        *["ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", film],
    )
    settings = load_settings(
        data=tmp_path / "data",
        blobs_url=seaweed.blobs_url(f"intake-{uuid4().hex[:12]}"),
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
    )
    store = open_blob_store(settings)
    folder = tmp_path / "work"
    folder.mkdir()
    context = UnitContext(
        unit=claim(film.stat().st_size),
        store=store,
        programs=Programs(Path(FFMPEG), Path(FFPROBE)),
        folder=folder,
        progress=ProgressCell(),
    )
    try:
        await store.put_file("uploads/u1", film, content_type="video/mp4")
        report = (await plan_upload(context)).result
        assert isinstance(report, PlanReport)
        assert report.source is not None
        assert report.source.duration_s == pytest.approx(4.0)
        assert not list(folder.iterdir())
        assert "X-Amz-Signature" not in context.log_tail
        # A store without the file is no verdict about the file.
        await store.delete("uploads/u1")
        with pytest.raises(DependencyError):
            await plan_upload(context)
    finally:
        await store.close()

"""Adding rungs to a set: what a second run after a crash answers."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from kernel.blobs.directory import DirectoryBlobStore
from kernel.messages import AssetReport, ClaimedUnit, RenditionReport
from transcode.context import ProgressCell, UnitContext
from transcode.settings import Programs
from transcode.specs import Grid, PublishAddedSpec
from transcode.units.publish_added import MANIFEST, publish_added

PREFIX = "assets/a/b/"


async def test_a_second_run_removes_what_the_first_one_left_in_staging(tmp_path: Path) -> None:
    """It was killed after the manifest and before vod heard of it."""
    store = DirectoryBlobStore(tmp_path / "blobs")
    report = AssetReport(
        prefix=PREFIX,
        duration_s=4,
        renditions=(
            RenditionReport(name="360p", kind="video", codec="avc1", bitrate_bps=1, size_bytes=1),
        ),
    )
    said = report.model_dump(mode="json")
    manifest = json.dumps({"report": said}).encode()
    await store.put_bytes(PREFIX + MANIFEST, manifest, content_type="application/json")
    spec = PublishAddedSpec(
        adds_to="publish",
        duration_ticks=360_000,
        grid=Grid.regular(Fraction(25)),
        rungs=(),
        ranges=(),
    )
    unit = ClaimedUnit.model_validate(
        {
            "unit_id": "u", "job_id": "j", "key": "publish-av1", "kind": "publish_asset",
            "fence": 2, "attempt": 2, "lease_s": 60, "lecture_id": "l", "asset_id": "a",
            "plan_hash": "b", "spec": spec.model_dump(mode="json"),
            "inputs": {
                "publish": said,
                "av1-0000": {"rungs": [{"file": {"key": "staging/v-1/360pav1.mp4"}}]},
            },
        }
    )  # fmt: skip
    context = UnitContext(
        unit=unit, store=store, programs=Programs(Path("f"), Path("p")), folder=tmp_path,
        progress=ProgressCell(),
    )  # fmt: skip
    outcome = await publish_added(context)
    await store.close()
    assert outcome.result == report
    assert outcome.stale_prefixes == ("staging/v-",)

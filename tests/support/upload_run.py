"""Run whole jobs of files without vod: planning, then every unit, in one process.

``run_file`` is one file to its end; as a program it prints a table of many::

    python -m tests.support.upload_run FILE_OR_FOLDER ... [--plan-only] [--append TABLE.tsv]

With ``--append``, files that the table has already are not done again: it goes on where it was
stopped. ``--markdown TABLE.tsv`` prints such a table for people.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from kernel.blobs.directory import DirectoryBlobStore
from kernel.errors import HallError
from kernel.messages import AssetReport, ClaimedUnit, PlanReport, UnitPlan
from tests.support.shared_media import MEDIA
from tests.support.synthetic_recording import FFMPEG, FFPROBE
from tests.support.upload_quality import measure_quality
from transcode.context import ProgressCell, UnitContext
from transcode.settings import Programs
from transcode.units import RUNNERS
from transcode.work import describe_failure

ASSET = "asset0000000000"


@dataclass
class UploadRun:
    """What became of one file.

    Attributes:
        program: The ffmpeg that does the work.
        error: What ended it; ``outcome`` tells whether that was a refusal or a defect of ours.
        results: Unit key -> result.
        unit_seconds: Unit key -> how long it took.
    """

    name: str
    folder: Path
    program: Path = Path(FFMPEG)
    has_av1: bool = False
    plan: PlanReport | None = None
    asset: AssetReport | None = None
    first: AssetReport | None = None
    error: Exception | None = None
    failed_key: str = ""
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    first_seconds: float | None = None
    unit_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """``lecture``, ``planned``, ``refused`` (with a sentence) or ``BROKEN``."""
        if self.error is None:
            return "lecture" if self.asset is not None else "planned"
        is_refusal = self.failed_key == "plan" and getattr(self.error, "permanent", False)
        return "refused" if is_refusal else "BROKEN"

    @property
    def reason(self) -> str:
        if self.error is not None:
            told = describe_failure(self.error)
            return (
                told if self.outcome == "refused" else f"{self.failed_key}: {told} [{self.error}]"
            )
        notes = self.plan.source.notes if self.plan and self.plan.source else ()
        return ";".join(notes)

    def path(self, name: str) -> Path:
        """A file of the published set."""
        assert self.asset is not None
        return self.folder / "blobs" / self.asset.prefix / name

    @property
    def frames_in(self) -> int | None:
        """Packets of the chosen picture track (two each of a picture in fields)."""
        source = self._find_source()
        if source is None:
            return None
        argv = [
            *(FFPROBE, "-v", "quiet", "-f", source["demuxer"], "-count_packets"),
            *("-select_streams", str(source["video_index"]), "-of", "csv=p=0"),
            *("-show_entries", "stream=nb_read_packets"),
            str(self.folder / "blobs" / source["key"]),
        ]
        answer = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        digits = answer.stdout.split()
        return int(digits[0].strip(",")) if digits and digits[0].strip(",").isdecimal() else None

    def _find_source(self) -> dict[str, Any] | None:
        kinds = {"encode_video", "copy_video"}
        units = self.plan.units if self.plan else ()
        return next((unit.spec["source"] for unit in units if unit.kind in kinds), None)

    @property
    def frames_out(self) -> int | None:
        """Frames of the top rung, all ranges together."""
        if self.plan is None or self.asset is None or self.plan.renditions[0].kind != "video":
            return None
        top = self.plan.renditions[0].name
        return sum(
            rung["frames_count"]
            for result in self.results.values()
            for rung in result.get("rungs", ())
            if isinstance(rung, dict) and rung.get("rung") == top
        )

    def row(self, *, name: str, quality: str) -> str:
        """One line of the table."""
        rungs = size = "-"
        if self.asset is not None:
            rungs = " ".join(item.name for item in self.asset.renditions)
            size = str(sum(item.size_bytes for item in self.asset.renditions))
        length = f"{self.plan.source.duration_s:.2f}" if self.plan and self.plan.source else "-"
        first = f"{self.first_seconds:.1f}" if self.first_seconds is not None else "-"
        frames = f"{self.frames_in or '-'}/{self.frames_out or '-'}"
        cells = (name, self.outcome, self.reason or "-", rungs, size, quality)
        return "\t".join((*cells, length, frames, f"{self.seconds:.1f}", first))


COLUMNS = (
    *("file", "outcome", "reason", "rungs", "bytes", "quality"),
    *("duration_s", "frames_in/out", "seconds", "first_s"),
)


async def run_file(
    source: Path,
    folder: Path,
    *,
    plan_only: bool = False,
    program: Path = Path(FFMPEG),
    has_av1: bool = False,
) -> UploadRun:
    """Take one file through its job; every defect ends up in ``error``, none is raised."""
    run = UploadRun(source.name, folder, program, has_av1)
    store = DirectoryBlobStore(folder / "blobs")
    started = time.monotonic()
    try:
        await store.put_file("uploads/u1", source, content_type="application/octet-stream")
        spec = {
            "upload": {
                "key": "uploads/u1",
                "size_bytes": source.stat().st_size,
                "filename": source.name,
            }
        }
        plan = UnitPlan(key="plan", kind="plan_upload", queue="short", spec=spec)
        await _run_unit(run, store, plan)
        run.plan = PlanReport.model_validate_json(json.dumps(run.results["plan"]))
        if not plan_only:
            await _run_graph(run, store, run.plan.units, started)
    except Exception as error:  # noqa: BLE001 - the table must show every defect of every file
        run.error = error
        if not isinstance(error, HallError):
            traceback.print_exc()
    finally:
        run.seconds = time.monotonic() - started
        await store.close()
    return run


async def _run_graph(
    run: UploadRun, store: DirectoryBlobStore, units: Iterable[UnitPlan], started: float
) -> None:
    waiting = list(units)
    while waiting:
        ready = next(unit for unit in waiting if set(unit.after) <= run.results.keys())
        waiting.remove(ready)
        await _run_unit(run, store, ready)
        if ready.key == "publish-first":
            run.first = AssetReport.model_validate_json(json.dumps(run.results[ready.key]))
            run.first_seconds = time.monotonic() - started
    last = run.results.get("publish-av1", run.results["publish"])
    run.asset = AssetReport.model_validate_json(json.dumps(last))


async def _run_unit(run: UploadRun, store: DirectoryBlobStore, unit: UnitPlan) -> None:
    run.failed_key = unit.key
    folder = run.folder / "work" / unit.key
    folder.mkdir(parents=True)
    claimed = ClaimedUnit(
        unit_id=f"unit-{unit.key}",
        job_id="job",
        key=unit.key,
        kind=unit.kind,
        fence=1,
        attempt=1,
        lease_s=60,
        lecture_id="lecture",
        asset_id=ASSET,
        plan_hash=run.plan.plan_hash if run.plan else None,
        spec=unit.spec,
        inputs={key: run.results[key] for key in unit.after},
    )
    context = UnitContext(
        unit=claimed,
        store=store,
        programs=Programs(run.program, Path(FFPROBE), has_av1=run.has_av1),
        folder=folder,
        progress=ProgressCell(),
    )
    started = time.monotonic()
    outcome = await RUNNERS[unit.kind](context)
    run.unit_seconds[unit.key] = time.monotonic() - started
    # Through JSON, as over the wire.
    run.results[unit.key] = json.loads(outcome.result.model_dump_json())
    shutil.rmtree(folder)


async def _print_table(
    files: list[Path], *, plan_only: bool, keep: Path | None, table: Path | None
) -> int:
    _say("\t".join(COLUMNS))
    known = _read_names(table)
    broken = 0
    for file in files:
        name = _name(file)
        if name in known:
            continue
        folder = Path(tempfile.mkdtemp(prefix="upload-run-", dir=keep))
        try:
            run = await run_file(file, folder, plan_only=plan_only)
            broken += run.outcome == "BROKEN"
            row = run.row(name=name, quality=await measure_quality(run))
            _say(row)
            if table is not None:
                await asyncio.to_thread(_append, table, row)
        finally:
            if keep is None:
                shutil.rmtree(folder)
    return broken


def _name(file: Path) -> str:
    """Below the folder of shared media, so that ``fuzz/`` and ``broken/`` are told."""
    file, root = file.resolve(), MEDIA.resolve()
    return str(file.relative_to(root)) if file.is_relative_to(root) else file.name


def _read_names(table: Path | None) -> set[str]:
    if table is None or not table.is_file():
        return set()
    return {line.split("\t")[0] for line in table.read_text("utf-8").splitlines()}


def _append(table: Path, row: str) -> None:
    with table.open("a", encoding="utf-8") as stream:
        stream.write(row + "\n")


def _list_files(given: Iterable[Path]) -> list[Path]:
    """Folders with all that is in them; small files first."""
    found = [file for item in given for file in (item.rglob("*") if item.is_dir() else [item])]
    return sorted((file for file in found if file.is_file()), key=lambda file: file.stat().st_size)


def _print_markdown(table: Path) -> None:
    """Without the times: they are those of a machine."""
    columns = COLUMNS[:-2]
    _say("| " + " | ".join(columns) + " |")
    _say("|" + " --- |" * len(columns))
    for line in sorted(table.read_text("utf-8").splitlines()):
        cells = line.replace("|", "/").split("\t")[: len(columns)]
        _say("| " + " | ".join(cells) + " |")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--plan-only", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which the results stay")
    parser.add_argument("--append", type=Path, help="table to go on with")
    parser.add_argument("--markdown", type=Path, help="only print this table for people")
    options = parser.parse_args()
    if options.markdown is not None:
        _print_markdown(options.markdown)
        return 0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return asyncio.run(
        _print_table(
            _list_files(options.files),
            plan_only=options.plan_only,
            keep=options.keep,
            table=options.append,
        )
    )


if __name__ == "__main__":
    sys.exit(main())

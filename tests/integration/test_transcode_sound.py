"""Sound of uploaded files: exact length, true to the time stamps, normalised, measured."""

from __future__ import annotations

import array
import asyncio
import importlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel.blobs.directory import DirectoryBlobStore
from kernel.messages import ClaimedUnit
from kernel.timing import TICKS_PER_S
from tests.support.shared_media import require_media
from tests.support.synthetic_recording import FFMPEG, FFPROBE, run_ffmpeg
from transcode import commands
from transcode.commands.base import MediaInput
from transcode.context import ProgressCell, UnitContext
from transcode.flac import count_samples_blocking
from transcode.loudness import parse_loudness
from transcode.settings import Programs
from transcode.specs import AudioSpan, EncodeAudioSpec, EncodedAudio, FileSource, parse_spec
from transcode.units.encode_audio import encode_audio

RATE_HZ = 48_000
# 20 ms of 1 kHz at every half second: moments one can find again.
BEEPS = "aevalsrc='if(lt(mod(t+0.5,1),0.02),0.5*sin(2*PI*1000*t),0)':s={rate}:d={seconds}"


@dataclass
class Bench:
    """Files in, encoded sound out."""

    folder: Path
    memory_bytes: int = 3 * 1024**3

    def make(self, name: str, *arguments: str) -> Path:
        path = self.folder / name
        run_ffmpeg(*arguments, path)
        return path

    def encode(
        self,
        path: Path,
        *,
        demuxer: str,
        seconds: float,
        index: int = 0,
        offset_ticks: int = 0,
        title: str | None = None,
        bitrate_bps: int = 96_000,
    ) -> EncodedAudio:
        source = FileSource(
            key="uploads/u1",
            size_bytes=path.stat().st_size,
            demuxer=demuxer,
            audio_index=index,
            offset_ticks=offset_ticks,
        )
        span = AudioSpan(start_ticks=0, end_ticks=round(seconds * TICKS_PER_S), source=source)
        return self.run(EncodeAudioSpec(spans=(span,), bitrate_bps=bitrate_bps, title=title), path)

    def run(self, spec: EncodeAudioSpec, path: Path | None = None) -> EncodedAudio:
        async def run() -> EncodedAudio:
            store = DirectoryBlobStore(self.folder / "blobs")
            if path is not None:
                await store.put_file("uploads/u1", path, content_type="video/mp4")
            work = self.folder / "work"
            work.mkdir(exist_ok=True)
            unit = ClaimedUnit(
                unit_id="u1", job_id="j1", key="audio", kind="encode_audio", fence=1, attempt=1,
                lease_s=60, lecture_id="l1", asset_id="a1", plan_hash="0" * 12,
                spec=spec.model_dump(mode="json"), inputs={},
            )  # fmt: skip
            context = UnitContext(
                unit=unit,
                store=store,
                programs=Programs(Path(FFMPEG), Path(FFPROBE), memory_bytes=self.memory_bytes),
                folder=work,
                progress=ProgressCell(),
            )
            try:
                outcome = await encode_audio(context)
            finally:
                await store.close()
            return parse_spec(EncodedAudio, outcome.result.model_dump(mode="json"))

        return asyncio.run(run())

    def staged(self, name: str) -> Path:
        return self.folder / "blobs" / "staging" / "u1-1" / name


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def decode(path: Path, *options: str) -> array.array[int]:
    """Mono samples at 48 kHz."""
    argv = [FFMPEG, "-v", "error", *options, "-i", str(path), "-ac", "1", "-ar", str(RATE_HZ)]
    done = subprocess.run([*argv, "-f", "s16le", "-"], capture_output=True, check=True, timeout=60)
    return array.array("h", done.stdout)


def find_beeps(samples: array.array[int]) -> list[float]:
    """Seconds where sound begins after silence."""
    found: list[float] = []
    last = -RATE_HZ
    for start in range(0, len(samples), 48):
        if max(samples[start : start + 48], default=0) > 3000:
            if start - last > RATE_HZ // 4:
                found.append(start / RATE_HZ)
            last = start
    return found


def probe(path: Path) -> dict[str, Any]:
    argv = [FFPROBE, "-v", "error", "-print_format", "json", "-show_format", "-show_streams"]
    done = subprocess.run([*argv, str(path)], capture_output=True, check=True, timeout=30)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def run_ffmpeg_loud(*arguments: object) -> str:
    """Run ffmpeg to nowhere; return all it says."""
    argv = [FFMPEG, "-nostdin", "-hide_banner", *map(str, arguments), "-f", "null", "-"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stderr


def hash_packets(path: Path) -> str:
    argv = [FFMPEG, "-v", "error", "-i", str(path), "-c", "copy", "-f", "streamhash", "-"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def assert_beeps(beeps: list[float], *, expected: list[float], within_s: float = 0.004) -> None:
    assert len(beeps) == len(expected), beeps
    skews = [abs(beep - wanted) for beep, wanted in zip(beeps, expected, strict=True)]
    assert max(skews) <= within_s, beeps


@pytest.mark.parametrize(
    ("name", "demuxer", "rate", "options"),
    [
        ("a.mp4", "mov", 44_100, ["-c:a", "aac", "-ac", "1"]),
        ("b.mp4", "mov", 48_000, ["-c:a", "aac", "-ac", "6"]),
        ("c.mkv", "matroska", 8_000, ["-c:a", "pcm_s16le"]),
        ("d.mp3", "mp3", 44_100, ["-c:a", "libmp3lame"]),
        ("e.ogg", "ogg", 48_000, ["-c:a", "libopus"]),
        ("f.flac", "flac", 96_000, ["-c:a", "flac"]),
    ],
)
def test_every_moment_stays_where_it_is(
    bench: Bench, name: str, demuxer: str, rate: int, options: list[str]
) -> None:
    path = bench.make(name, "-f", "lavfi", "-i", BEEPS.format(rate=rate, seconds=5), *options)
    start_s = float(probe(path)["format"].get("start_time", 0))  # MP3: 25 ms of encoder delay.
    offset_ticks = round(start_s * TICKS_PER_S)
    done = bench.encode(path, demuxer=demuxer, seconds=5, offset_ticks=offset_ticks)
    assert done.samples_count == 5 * RATE_HZ
    samples = decode(bench.staged("audio.m4s"))
    assert 0 <= len(samples) - 5 * RATE_HZ < 1024
    assert_beeps(find_beeps(samples), expected=[0.5, 1.5, 2.5, 3.5, 4.5])


def test_edit_lists_are_obeyed(bench: Bench) -> None:
    """An MP4 whose sound begins 1.2 s after the pictures says so in an edit list."""
    path = bench.make(
        "edited.mp4",
        *["-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=4", "-itsoffset", "1.2"],
        *["-f", "lavfi", "-i", BEEPS.format(rate=44_100, seconds=2)],
        *["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac"],
    )
    bench.encode(path, demuxer="mov", seconds=4, index=1)
    beeps = find_beeps(decode(bench.staged("audio.m4s")))
    assert_beeps(beeps, expected=[1.7, 2.7])


def test_a_late_start_a_hole_and_an_early_end_become_silence(bench: Bench) -> None:
    # Stamps: 2 s of sound from 1 s on, nothing for 1.5 s, 2 s of sound; the lecture has 8 s.
    path = bench.make(
        "holes.mkv",
        *["-f", "lavfi", "-i", BEEPS.format(rate=44_100, seconds=4)],
        *["-af", "asetnsamples=441,asetpts='PTS+1/TB+if(gte(T,2),1.5/TB,0)'"],
        *["-c:a", "pcm_s16le", "-copyts"],
    )
    done = bench.encode(path, demuxer="matroska", seconds=8)
    assert done.samples_count == 8 * RATE_HZ
    samples = decode(bench.staged("audio.m4s"))
    assert len(samples) >= 8 * RATE_HZ
    assert_beeps(find_beeps(samples), expected=[1.5, 2.5, 5.0, 6.0])


def test_a_long_time_without_sound_is_filled_in_bounded_memory(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seconds of sound, nearly seven minutes of nothing, two seconds of sound."""
    # The package calls its function by the name of the module.
    module = importlib.import_module("transcode.units.encode_audio")
    monkeypatch.setattr(module, "STRETCH_TICKS", 100 * TICKS_PER_S)
    seconds = 400
    path = bench.make(
        "hours.mkv",
        *["-f", "lavfi", "-i", BEEPS.format(rate=48_000, seconds=4)],
        *["-af", f"asetnsamples=480,asetpts='PTS+if(gte(T,2),{seconds - 4}/TB,0)'"],
        *["-c:a", "pcm_f32le", "-ac", "2"],
    )
    bench.memory_bytes = 130 * 1024 * 1024  # In one go it takes 280, a stretch 85.
    done = bench.encode(path, demuxer="matroska", seconds=seconds, bitrate_bps=32_000)
    assert done.samples_count == seconds * RATE_HZ
    assert len(done.commands) == 5  # Four stretches and the encoding.
    beeps = find_beeps(decode(bench.staged("audio.m4s")))
    assert_beeps(beeps, expected=[0.5, 1.5, seconds - 1.5, seconds - 0.5])


def test_a_small_hole_is_filled_before_it_shows_in_the_lips(bench: Bench) -> None:
    # 40 ms are missing after every second: without filling, the fifth beep came 160 ms early.
    path = bench.make(
        "small.mkv",
        *["-f", "lavfi", "-i", BEEPS.format(rate=48_000, seconds=5)],
        *["-af", "asetnsamples=480,asetpts='PTS+floor(T)*0.04/TB'", "-c:a", "pcm_s16le"],
    )
    bench.encode(path, demuxer="matroska", seconds=5.2)
    beeps = find_beeps(decode(bench.staged("audio.m4s")))
    assert_beeps(beeps, expected=[0.5 + n * 1.04 for n in range(5)])


@pytest.mark.parametrize("offset_s", [10.0, 95_000.0])
def test_time_starts_where_the_lecture_does(bench: Bench, offset_s: float) -> None:
    """Stamps far behind zero; the lecture begins a quarter second into the sound."""
    path = bench.make(
        "offset.ts",
        *["-f", "lavfi", "-i", BEEPS.format(rate=48_000, seconds=4)],
        *["-c:a", "mp2", "-muxdelay", "0", "-muxpreload", "0", "-f", "mpegts"],
        *["-output_ts_offset", str(offset_s)],
    )
    start_s = float(probe(path)["format"]["start_time"])
    assert start_s == pytest.approx(offset_s, abs=0.1)
    offset_ticks = round((start_s + 0.25) * TICKS_PER_S)
    bench.encode(path, demuxer="mpegts", seconds=3, offset_ticks=offset_ticks)
    # A transport stream does not tell the delay of the MP2 decoder: 481 samples.
    beeps = find_beeps(decode(bench.staged("audio.m4s")))
    assert_beeps(beeps, expected=[0.25, 1.25, 2.25], within_s=0.015)


def test_sound_that_starts_after_the_pictures_waits_for_them(bench: Bench) -> None:
    path = bench.make("late.wav", "-f", "lavfi", "-i", BEEPS.format(rate=48_000, seconds=2))
    bench.encode(path, demuxer="wav", seconds=5, offset_ticks=-2 * TICKS_PER_S)
    beeps = find_beeps(decode(bench.staged("audio.m4s")))
    assert_beeps(beeps, expected=[2.5, 3.5])


def test_a_clock_that_runs_fast_is_followed(bench: Bench) -> None:
    """100 ppm are 0.7 s in two hours; each moment stays within 10 ms of its stamp, at any length.

    Ten minutes at 60 ms of drift, decoded only, so that the test takes seconds: what is left is
    the dead zone of the correction (5 ms), which does not grow with the length.
    """
    minute = bench.make("minute.wav", "-f", "lavfi", "-i", BEEPS.format(rate=8_000, seconds=60))
    path = bench.make(
        "drift.mkv",
        *["-stream_loop", "9", "-i", str(minute)],
        *["-c", "copy", "-bsf:a", "setts=ts=TS*1.0001"],
    )
    output = bench.folder / "drift.flac"
    argv = commands.decode_span(
        Path(FFMPEG),
        source=MediaInput(str(path), "matroska"),
        stream_index=0,
        start_ticks=0,
        samples_count=600 * RATE_HZ,
        output=output,
    )
    subprocess.run(argv, capture_output=True, check=True, timeout=100)
    assert count_samples_blocking(output) == 600 * RATE_HZ
    beeps = [590 + beep for beep in find_beeps(decode(output, "-ss", "590"))]
    assert_beeps(
        beeps, expected=[(n + 0.5) * 1.0001 for n in range(590, 600)][: len(beeps)], within_s=0.01
    )
    assert len(beeps) >= 9


def test_sound_is_brought_to_the_target_and_its_peaks_are_held(bench: Bench) -> None:
    quiet = "sine=f=440:b=4:r=48000:d=12,volume=-8dB"
    path = bench.make("quiet.wav", "-f", "lavfi", "-i", quiet)
    done = bench.encode(path, demuxer="wav", seconds=12)
    assert done.loudness_lufs is not None
    assert 5 < done.gain_db < 20
    text = run_ffmpeg_loud("-i", bench.staged("audio.m4s"), "-af", "ebur128=peak=true")
    assert parse_loudness(text) == pytest.approx(-16, abs=1)
    peaks = [float(found) for found in re.findall(r"Peak:\s+(-?[\d.]+) dBFS", text)]
    assert peaks
    assert max(peaks) <= -1.0


def test_silences_and_the_outline_are_measured_on_the_way(bench: Bench) -> None:
    path = bench.make(
        "pauses.wav",
        *["-f", "lavfi", "-i", "sine=f=300:r=48000:d=10"],
        *["-af", "volume='if(between(t,3,6)+gte(t,8),0,1)':eval=frame,asetnsamples=480"],
    )
    done = bench.encode(path, demuxer="wav", seconds=12)
    (first, second) = done.silences
    assert first == pytest.approx((3000, 6000), abs=60)
    assert second == pytest.approx((8000, 12_000), abs=60)
    document = json.loads(bench.staged("waveform.json").read_text())
    assert document["version"] == 1
    assert document["silences"] == [list(item) for item in done.silences]
    assert document["step_ms"] == 50
    peaks = document["peaks"]
    assert len(peaks) == 240
    assert all(0 <= peak <= 255 for peak in peaks)
    assert min(peaks[5:55]) > 30
    assert max(peaks[62:118] + peaks[165:]) == 0


def test_the_download_holds_the_same_packets_and_only_a_title(bench: Bench) -> None:
    path = bench.make(
        "tagged.m4a",
        *["-f", "lavfi", "-i", BEEPS.format(rate=48_000, seconds=5), "-c:a", "aac"],
        *["-metadata", "artist=someone", "-metadata", "location=+40.8+111.7/"],
        *["-metadata", "title=old"],
    )
    bench.encode(path, demuxer="mov", seconds=5, title="第一讲：党章 = 总规矩; 'a'")
    download = bench.staged("audio.m4a")
    data = download.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    facts = probe(download)
    assert float(facts["format"]["duration"]) == pytest.approx(5, abs=0.022)
    tags = {name.casefold(): value for name, value in facts["format"]["tags"].items()}
    assert tags.pop("title") == "第一讲：党章 = 总规矩; 'a'"
    assert not {"artist", "location", "com.apple.quicktime.location.iso6709"} & set(tags)
    assert_beeps(find_beeps(decode(download)), expected=[0.5, 1.5, 2.5, 3.5, 4.5])
    assert hash_packets(download) == hash_packets(bench.staged("audio.m4s"))


def test_a_lecture_without_sound_is_silent_and_has_nothing_to_download(bench: Bench) -> None:
    span = AudioSpan(start_ticks=0, end_ticks=3 * TICKS_PER_S, source=None)
    done = bench.run(EncodeAudioSpec(spans=(span,), bitrate_bps=32_000))
    assert done.samples_count == 3 * RATE_HZ
    assert done.download is None
    assert done.silences == ((0, 3000),)
    assert max(decode(bench.staged("audio.m4s"))) == 0


@pytest.mark.parametrize(
    ("name", "demuxer", "index", "seconds"),
    [
        ("speech_with_silences_aac8k_audioonly.mp4", "mov", 0, 60.0),
        ("avchd_1080i_tff_ac3.mts", "mpegts", 1, 2.0),
        ("multitrack_3gp_amr_hinttracks_70s.3gp", "mov", 0, 70.0),
        ("realmedia_rv10.rm", "rm", 1, 2.0),
        ("broken/failing_audio_stream.mp4", "mov", 1, 11.2),
        ("broken/mdat_too_long_truncated.mp4", "mov", 1, 2.0),
    ],
)
def test_files_as_people_have_them(
    bench: Bench, name: str, demuxer: str, index: int, seconds: float
) -> None:
    done = bench.encode(require_media(name), demuxer=demuxer, index=index, seconds=seconds)
    assert done.samples_count == round(seconds * RATE_HZ)

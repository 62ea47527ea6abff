"""Make a class hours old in seconds: streamer's own packager and recorder in fake time.

Runs while no hall holds the data folder, on a broadcast that a hall has opened. The media are tiny
access units, so the journal, the spool and the playlist are as long as after real hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from kernel.aac import build_asc
from kernel.clock import FakeClock
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.packager import Packager
from streamer.ports import EndReason
from streamer.recorder.recorder import Recorder
from streamer.recorder.spool import SpoolFolder, recover_blocking
from streamer.recorder.writer import SpoolWriter

TICKS_PER_S = 90_000
UNITS_PER_S = 2  # One picture a part: the fewest that still make every part.
GOP_S = 2
FLUSH_EVERY_S = 60  # Lecture time; keeps the writer's queue far below its bound.
RATE_HZ = 8_000  # The fewest AAC frames a second.
PICTURE = VideoConfig(  # 320x180, baseline.
    sps=(bytes.fromhex("6742c00cda05067e7840000003004000000c83c50aa8"),),
    pps=(bytes.fromhex("68ce0fc8"),),
)
SOUND = AudioConfig(
    asc=build_asc(sample_rate_hz=RATE_HZ, channels_count=1),
    sample_rate_hz=RATE_HZ,
    channels_count=1,
)


async def lengthen_class(spool: Path, broadcast_id: str, *, duration_s: int) -> float:
    """Append ``duration_s`` of media to an interrupted broadcast; return its length in seconds.

    Raises:
        AssertionError: The spool has no such broadcast, or recording it failed.
    """
    folder = SpoolFolder(spool, broadcast_id)
    history = recover_blocking(folder)
    if history is None:
        raise AssertionError(f"{folder.path} has no journal")
    clock = FakeClock(datetime.now(UTC) - timedelta(seconds=duration_s))
    async with SpoolWriter(spool) as writer:
        recorder = Recorder(folder, history, writer=writer, clock=clock)
        packager = Packager(broadcast_id, [recorder], clock, resume=history.resume_point())
        packager.open_connection("rtmp")
        packager.set_video_config(PICTURE)
        packager.set_audio_config(SOUND)
        frames_count = 0
        for number in range(duration_s * UNITS_PER_S):
            dts = number * TICKS_PER_S // UNITS_PER_S
            while (pts := frames_count * 1024 * TICKS_PER_S // RATE_HZ) <= dts:
                packager.write_audio(AudioUnit(pts, frames_count.to_bytes(4, "big")))
                frames_count += 1
            packager.write_video(_build_picture(dts, is_idr=number % (GOP_S * UNITS_PER_S) == 0))
            clock.advance(1 / UNITS_PER_S)
            if number % (FLUSH_EVERY_S * UNITS_PER_S) == 0:
                await recorder.flush()
        packager.close_connection(EndReason.CONNECTION_LOST)
        await recorder.close()
    return recorder.recorded_ticks / TICKS_PER_S


def _build_picture(dts: int, *, is_idr: bool) -> VideoUnit:
    data = bytes((0x65 if is_idr else 0x41,)) + dts.to_bytes(8, "big")
    return VideoUnit(dts, dts, len(data).to_bytes(4, "big") + data, is_idr)

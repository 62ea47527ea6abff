"""From RTP packets of H.264 to access units: order, depacketise, gather, time. Sans I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernel.errors import BitstreamError
from streamer.media import VideoConfig, VideoUnit
from streamer.rtc.reorder import Lost, NackSchedule, ReorderBuffer
from streamer.whip.access_unit import Picture, PictureBuilder
from streamer.whip.clock import SyncClock
from streamer.whip.decode_clock import DecodeClock
from streamer.whip.h264_rtp import H264Depacketiser

GAP_DEADLINE_S: Final = 0.4  # Five repairs on a 80 ms path; then the picture is given up.
CAPACITY_PACKETS: Final = 4096  # Held behind a gap: 0.4 s at 90 Mbit/s.


@dataclass(frozen=True, slots=True)
class RtpVideo:
    """What is needed of one packet."""

    timestamp: int
    is_marked: bool
    payload: bytes


class VideoInput:
    """One publisher's video.

    Attributes:
        nacks: Which packets to ask for.
    """

    def __init__(self, clock: SyncClock) -> None:
        self.nacks = NackSchedule()
        self._buffer: ReorderBuffer[RtpVideo] = ReorderBuffer(
            deadline_s=GAP_DEADLINE_S, capacity=CAPACITY_PACKETS, nacks=self.nacks
        )
        self._depacketiser = H264Depacketiser()
        self._pictures = PictureBuilder()
        self._decode_clock = DecodeClock()
        self._clock = clock
        self._is_broken = False
        self._refused_count = 0
        self._reported_count = 0

    @property
    def wants_keyframe(self) -> bool:
        return self._pictures.wants_keyframe

    @property
    def has_gap(self) -> bool:
        return self._buffer.has_gap

    def take_dropped_count(self) -> int:
        """Pictures dropped since the last call."""
        total = self._pictures.dropped_count + self._refused_count
        fresh, self._reported_count = total - self._reported_count, total
        return fresh

    def push(self, seq: int, packet: RtpVideo, now_s: float) -> list[VideoConfig | VideoUnit]:
        """Add a packet; return the configurations and units that are complete now."""
        return self._convert(self._buffer.push(seq, packet, now_s), now_s)

    def expire(self, now_s: float) -> list[VideoConfig | VideoUnit]:
        """Give up what has been missing for too long."""
        return self._convert(self._buffer.expire(now_s), now_s)

    def _convert(self, ready: list[RtpVideo | Lost], now_s: float) -> list[VideoConfig | VideoUnit]:
        output: list[VideoConfig | VideoUnit] = []
        for packet in ready:
            if isinstance(packet, Lost):
                self._lose()
                continue
            try:
                nals = self._depacketiser.feed(packet.payload)
            except BitstreamError:
                self._lose()
                nals = []
            if not nals and not packet.is_marked:
                continue
            if packet.is_marked and self._depacketiser.is_inside_fragment:
                self._depacketiser.reset()
                self._lose()
            for picture in self._pictures.push(nals, packet.timestamp, is_marked=packet.is_marked):
                self._time(picture, now_s, output)
        return output

    def _lose(self) -> None:
        self._depacketiser.reset()
        self._pictures.lose()
        self._is_broken = True

    def _time(self, picture: Picture, now_s: float, output: list[VideoConfig | VideoUnit]) -> None:
        if picture.config is not None:
            output.append(picture.config)
            self._decode_clock.learn(picture.config.sps[0])
        if picture.is_idr and self._is_broken:
            self._is_broken = False
            self._decode_clock.restart()
        pts = self._clock.map("video", picture.timestamp, now_s)
        dts = self._decode_clock.assign(pts)
        if dts is None:
            self._refused_count += 1
            self._lose()
            return
        output.append(VideoUnit(pts=pts, dts=dts, data=picture.data, is_idr=picture.is_idr))

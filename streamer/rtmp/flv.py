"""FLV audio and video tags, Enhanced RTMP included, to our media types. Pure and total.

``FlvDemuxer`` holds the state of one publication: configurations and the unwrapped clock.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from kernel.bytes import ByteReader
from kernel.errors import BitstreamError
from kernel.timing import TICKS_PER_S, Unwrapper32
from streamer.media import AudioConfig, AudioUnit, VideoConfig, VideoUnit
from streamer.rtmp.aac import parse_audio_specific_config
from streamer.rtmp.avc import AvcTrack
from streamer.rtmp.codecs import (
    AAC_ID,
    AUDIO_NAMES,
    AVC_ID,
    EX_AUDIO_ID,
    VIDEO_NAMES,
    name_fourcc,
    refuse_audio,
    refuse_video,
)

MediaItem: TypeAlias = VideoConfig | AudioConfig | VideoUnit | AudioUnit

TICKS_PER_MS: Final = TICKS_PER_S // 1000
_MAX_AAC_FRAME_BYTES: Final = 8191  # The longest that ADTS can say; 8 channels need 6144.
_COMMAND_FRAME: Final = 5  # FLV §E.4.3.1: a video info or command frame, no picture.
_EX_HEADER: Final = 0x80
_MAX_AGGREGATE_COUNT: Final = 1024  # Flash sent some dozens; bounds the work of one message.
_MAX_MOD_EX_COUNT: Final = 8  # Modifiers may chain; nobody sends more than one.
_SEQUENCE_HEADER, _CODED, _SEQUENCE_END = range(3)
_CODED_X: Final = 3  # Enhanced RTMP: coded frames whose composition time is 0.
_METADATA: Final = 4
_MULTITRACK: Final = 6
_VIDEO_MOD_EX: Final = 7
_AUDIO_MULTICHANNEL: Final = 4
_AUDIO_MULTITRACK: Final = 5
_AUDIO_MOD_EX: Final = 7
_SIGN_BIT_24: Final = 0x800000


class FlvDemuxer:
    """Tags in, configurations and units out, on one clock of 1/90000 s.

    Attributes:
        dropped_count: Units that could not be used: before their configuration, or malformed.
    """

    def __init__(self) -> None:
        self._clock = Unwrapper32()
        self._avc = AvcTrack()
        self._audio: AudioConfig | None = None
        self._dts_shift_ms = 0
        self.dropped_count = 0

    def read_video(self, body: bytes | bytearray, time_ms: int) -> list[MediaItem]:
        """Read the body of a video message.

        Args:
            body: Without the FLV tag header.
            time_ms: The message's time stamp, wrapping at 2^32.

        Raises:
            UnsupportedCodecError: Not H.264.
            BitstreamError: Malformed; the next tag can be read all the same.
        """
        clock_ms = self._unwrap(time_ms)
        reader = ByteReader(body, what="video tag")
        if not reader.remaining:
            return []
        first = reader.uint(1)
        if first & _EX_HEADER:
            return self._read_ex_video(reader, first, clock_ms)
        if first >> 4 == _COMMAND_FRAME:
            return []
        codec = first & 0x0F
        if codec != AVC_ID:
            raise refuse_video(VIDEO_NAMES.get(codec, f"video codec {codec}"))
        kind = reader.uint(1)
        offset_ms = _read_signed_24(reader)
        return self._read_avc(reader, kind, clock_ms, offset_ms)

    def read_audio(self, body: bytes | bytearray, time_ms: int) -> list[MediaItem]:
        """Read the body of an audio message; see :meth:`read_video`."""
        clock_ms = self._unwrap(time_ms)
        reader = ByteReader(body, what="audio tag")
        if not reader.remaining:
            return []
        first = reader.uint(1)
        codec = first >> 4
        if codec == EX_AUDIO_ID:
            return self._read_ex_audio(reader, first & 0x0F, clock_ms)
        if codec != AAC_ID:
            raise refuse_audio(AUDIO_NAMES.get(codec, f"audio codec {codec}"))
        return self._read_aac(reader, reader.uint(1), clock_ms)

    def _unwrap(self, time_ms: int) -> int:
        """Continue the clock across a wrap at 2^32 ms, or at 2^31 as FFmpeg has it.

        FLV time stamps are signed, so FFmpeg masks them to 31 bits. Distances modulo 2^31 fit
        both; doubled values make them distances modulo 2^32.
        """
        return self._clock.unwrap(time_ms << 1 & 0xFFFFFFFF) >> 1

    # -- Enhanced RTMP -------------------------------------------------------------------------

    def _read_ex_video(self, reader: ByteReader, first: int, clock_ms: int) -> list[MediaItem]:
        """ExVideoTagHeader of Enhanced RTMP v2; only ``avc1`` goes on."""
        kind = _skip_modifiers(reader, first & 0x0F, _VIDEO_MOD_EX)
        if first >> 4 & 0x07 == _COMMAND_FRAME and kind != _METADATA:
            return []
        if kind == _MULTITRACK:
            raise refuse_video("multitrack video")
        fourcc = reader.take(4)
        if fourcc != b"avc1":
            raise refuse_video(name_fourcc(fourcc))
        if kind == _CODED_X:
            return self._read_avc(reader, _CODED, clock_ms, 0)
        if kind > _CODED_X:
            return []
        offset_ms = _read_signed_24(reader) if kind == _CODED else 0
        return self._read_avc(reader, kind, clock_ms, offset_ms)

    def _read_ex_audio(self, reader: ByteReader, kind: int, clock_ms: int) -> list[MediaItem]:
        """ExAudioTagHeader; only ``mp4a`` goes on."""
        kind = _skip_modifiers(reader, kind, _AUDIO_MOD_EX)
        if kind == _AUDIO_MULTITRACK:
            raise refuse_audio("multitrack audio")
        fourcc = reader.take(4)
        if fourcc != b"mp4a":
            raise refuse_audio(name_fourcc(fourcc))
        if kind in {_SEQUENCE_END, _AUDIO_MULTICHANNEL}:
            return []
        return self._read_aac(reader, kind, clock_ms)

    # -- Codecs --------------------------------------------------------------------------------

    def _read_avc(
        self, reader: ByteReader, kind: int, clock_ms: int, offset_ms: int
    ) -> list[MediaItem]:
        data = reader.view(reader.remaining)
        if kind == _SEQUENCE_HEADER:
            has_changed = self._avc.set_decoder_configuration(data)
            return [self._avc.config] if has_changed and self._avc.config else []
        if kind != _CODED or not data:
            return []
        unit_bytes, is_idr, has_changed = self._avc.normalise(data)
        items: list[MediaItem] = []
        if has_changed and self._avc.config:
            items.append(self._avc.config)
        if not unit_bytes:
            return items
        if self._avc.config is None:
            self.dropped_count += 1
            return items
        pts_ms = clock_ms + offset_ms
        # Some encoders send negative composition times. Decode times then move ahead, once,
        # by the most ever seen, because presentation is what the lecture clock must keep.
        self._dts_shift_ms = max(self._dts_shift_ms, -offset_ms)
        dts_ms = clock_ms - self._dts_shift_ms
        items.append(
            VideoUnit(
                pts=pts_ms * TICKS_PER_MS, dts=dts_ms * TICKS_PER_MS, data=unit_bytes, is_idr=is_idr
            )
        )
        return items

    def _read_aac(self, reader: ByteReader, kind: int, clock_ms: int) -> list[MediaItem]:
        data = reader.take(reader.remaining)
        if kind == _SEQUENCE_HEADER:
            config = parse_audio_specific_config(data)
            if config == self._audio:
                return []
            self._audio = config
            return [config]
        if kind != _CODED or not data:
            return []
        if len(data) > _MAX_AAC_FRAME_BYTES:
            raise BitstreamError(f"an AAC frame of {len(data)} bytes")
        if self._audio is None:
            self.dropped_count += 1
            return []
        return [AudioUnit(pts=clock_ms * TICKS_PER_MS, data=data)]


def split_aggregate(body: bytes | bytearray, time_ms: int) -> list[tuple[int, int, bytes]]:
    """Split an aggregate message into (type, time stamp in ms, body).

    Spec: RTMP 1.0 §7.1.6: the first time stamp inside stands for the message's own.

    Raises:
        BitstreamError: A part runs past the end.
    """
    reader = ByteReader(body, what="aggregate message")
    parts: list[tuple[int, int, bytes]] = []
    origin_ms: int | None = None
    while reader.remaining:
        kind = reader.uint(1)
        size = reader.uint(3)
        inner_ms = reader.uint(3) | reader.uint(1) << 24
        reader.view(3)
        origin_ms = inner_ms if origin_ms is None else origin_ms
        parts.append((kind, (time_ms + inner_ms - origin_ms) & 0xFFFFFFFF, reader.take(size)))
        reader.view(4)
        if len(parts) > _MAX_AGGREGATE_COUNT:
            raise BitstreamError(f"more than {_MAX_AGGREGATE_COUNT} tags in an aggregate message")
    return parts


def _skip_modifiers(reader: ByteReader, kind: int, mod_ex: int) -> int:
    """Step over ModEx headers; return the packet type they lead to."""
    for _ in range(_MAX_MOD_EX_COUNT):
        if kind != mod_ex:
            return kind
        size = reader.uint(1) + 1
        if size == 256:  # noqa: PLR2004 - Enhanced RTMP v2: 255 announces a 16-bit size
            size = reader.uint(2) + 1
        reader.view(size)
        kind = reader.uint(1) & 0x0F
    raise BitstreamError(f"more than {_MAX_MOD_EX_COUNT} modifiers before a frame")


def _read_signed_24(reader: ByteReader) -> int:
    value = reader.uint(3)
    return value - (1 << 24) if value & _SIGN_BIT_24 else value

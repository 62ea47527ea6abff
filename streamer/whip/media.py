"""One publisher's media: RTP packets in, configurations and units into its publication.

No sockets here. The session calls in with packets and ticks; what must be told to the sender is
left in attributes for the session to send.
"""

from __future__ import annotations

from typing import Final

from streamer.media import AudioConfig, OpusUnit, VideoConfig, VideoUnit
from streamer.ports import Publication
from streamer.rtc.packet import MediaPacket
from streamer.rtc.reorder import Lost, ReorderBuffer
from streamer.whip.audio import Sound, SoundWork, open_audio_thread
from streamer.whip.clock import SyncClock, Track
from streamer.whip.feedback import BitrateAdvice, KeyframePolicy
from streamer.whip.video import RtpVideo, VideoInput

AUDIO_DEADLINE_S: Final = 0.12  # Six packets; what is later becomes 20 ms of silence.
AUDIO_CAPACITY: Final = 64
SILENT_AFTER_TICKS: Final = 72_000  # 0.8 s: Opus DTX still sends a packet every 0.4 s.
BATCH_PACKETS: Final = 4  # 80 ms; the packager cuts parts of 0.5 s.
FILL_BEHIND_TICKS: Final = 45_000  # 0.5 s: late sound still finds its place.


class MediaInput:
    """Feeds one publication.

    Attributes:
        keyframes: When to send a PLI.
        bitrate: What to announce as REMB.
    """

    def __init__(self, publication: Publication, *, has_audio: bool, max_bitrate_bps: int) -> None:
        self._publication = publication
        self._clock = SyncClock()
        self.video = VideoInput(self._clock)
        self.keyframes = KeyframePolicy()
        self.bitrate = BitrateAdvice(max_bitrate_bps)
        self._sound: ReorderBuffer[tuple[int, bytes]] = ReorderBuffer(
            deadline_s=AUDIO_DEADLINE_S, capacity=AUDIO_CAPACITY
        )
        self.audio = open_audio_thread(self._write_sound)
        self._audio_config: AudioConfig | None = None
        self._has_audio = has_audio
        self._batch: list[SoundWork] = []
        self._sound_end: int | None = None
        self._filled_to = 0
        self._sound_dropped_count = 0
        self.last_rtp_s: float | None = None

    def receive_video(self, packet: MediaPacket, now_s: float) -> None:
        """Take a video packet."""
        self.last_rtp_s = now_s
        self.bitrate.on_packet(packet.abs_send_time, len(packet.payload), now_s)
        rtp = RtpVideo(packet.timestamp, bool(packet.marker), packet.payload)
        self._write(self.video.push(packet.sequence_number, rtp, now_s), now_s)

    def receive_audio(self, packet: MediaPacket, now_s: float) -> None:
        """Take an audio packet; an empty one is padding."""
        self.last_rtp_s = now_s
        item = (packet.timestamp, packet.payload)
        self._hear(self._sound.push(packet.sequence_number, item, now_s), now_s)

    def receive_report(self, kind: str, ntp: int, rtp: int) -> None:
        """Take the numbers of a sender report."""
        track: Track = "video" if kind == "video" else "audio"
        self._clock.report(track, ntp, rtp)

    def tick(self, now_s: float) -> None:
        """Give up what is too late; report drops. Call at least every 0.1 s."""
        if self.video.has_gap:
            self._write(self.video.expire(now_s), now_s)
        if self._sound.has_gap:
            self._hear(self._sound.expire(now_s), now_s)
        self._flush()
        dropped = self.video.take_dropped_count() + self.audio.dropped_count
        dropped -= self._sound_dropped_count
        self._sound_dropped_count = self.audio.dropped_count
        if dropped:
            self._publication.count_dropped(dropped)

    def _write(self, output: list[VideoConfig | VideoUnit], now_s: float) -> None:
        for item in output:
            if isinstance(item, VideoConfig):
                self._publication.set_video_config(item)
                continue
            if item.is_idr:
                self.keyframes.on_keyframe(now_s)
            self._publication.write_video(item)
            if self._has_audio:
                self._keep_sounding(item.dts)

    def _hear(self, ready: list[tuple[int, bytes] | Lost], now_s: float) -> None:
        for item in ready:
            if isinstance(item, Lost) or not item[1]:
                continue
            unit = OpusUnit(pts=self._clock.map("audio", item[0], now_s), data=item[1])
            self._publication.write_opus(unit)
            self._convert(unit)

    def _convert(self, work: SoundWork) -> None:
        """Queue sound work in batches: waking the thread costs more than decoding a packet."""
        self._batch.append(work)
        if len(self._batch) >= BATCH_PACKETS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self.audio.write(self._batch)
            self._batch = []

    def _keep_sounding(self, video_ticks: int) -> None:
        """Order silence when the sound has stopped while the picture goes on."""
        end = self._sound_end
        if end is None:
            # The first order only sets the beginning of the sound, 0.5 s behind the picture.
            end = self._filled_to = self._filled_to or video_ticks
        if video_ticks - max(end, self._filled_to) > SILENT_AFTER_TICKS:
            self._filled_to = video_ticks - FILL_BEHIND_TICKS
            self._convert(self._filled_to)
            self._flush()

    def _write_sound(self, sound: Sound) -> None:
        if sound.config != self._audio_config:
            self._audio_config = sound.config
            self._publication.set_audio_config(sound.config)
        self._sound_end = sound.end_ticks
        for unit in sound.units:
            self._publication.write_audio(unit)

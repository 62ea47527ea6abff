"""One open epoch: units of a connection become published parts under one init segment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Literal

from kernel.layout import RENDITIONS, Rendition
from kernel.timing import to_seconds
from streamer.media import AudioUnit, VideoUnit
from streamer.packager.audio import AudioLine
from streamer.packager.formats import AudioFormat, VideoFormat, build_inits, build_media
from streamer.packager.segmenter import Cut, CutPart, CutSegment, Segmenter, VideoFrame
from streamer.packager.silence import SILENT_CONFIG, encode_silent_frame
from streamer.ports import EpochInfo, PackagerSink, Part, SegmentInfo
from streamer.timeline import Counters

Publish = Callable[[Callable[[PackagerSink], None]], None]


class Epoch:
    """From ``open`` to ``finish``: maps source time to lecture time and publishes the cuts."""

    def __init__(
        self,
        *,
        counters: Counters,
        publish: Publish,
        protocol: Literal["rtmp", "whip"],
        video: VideoFormat | None,
        audio: AudioFormat | None,
        source_start: int,
        program_date_time: datetime,
        frame_rate: float | None,
    ) -> None:
        """``audio`` ``None``: the source has no sound, silence is made. Tells the sinks."""
        self.video, self.has_source_audio = video, audio is not None
        self.audio = audio or AudioFormat(SILENT_CONFIG, "mp4a.40.2")
        self._counters, self._publish = counters, publish
        start = counters.point.next_ticks
        self._offset = start - source_start
        config = self.audio.config
        line = AudioLine(
            rate_hz=config.sample_rate_hz,
            start_ticks=start,
            silent_frame=encode_silent_frame(config.sample_rate_hz, config.channels_count),
        )
        line.is_silenced = audio is None
        self._segmenter = Segmenter(start_ticks=start, audio=line, has_video=video is not None)
        self._sequence = 0
        self._sizes: dict[Rendition, int] = dict.fromkeys(RENDITIONS, 0)
        discontinuity = counters.point.next_discontinuity
        self.info = EpochInfo(
            epoch=counters.open_epoch(),
            discontinuity=discontinuity,
            first_msn=counters.point.next_msn,
            start_ticks=start,
            program_date_time=program_date_time,
            inits=build_inits(video, self.audio),
            video_codec=video.sps.codec if video else None,
            width_px=video.sps.width_px if video else None,
            height_px=video.sps.height_px if video else None,
            audio_codec=self.audio.codec,
            sample_rate_hz=config.sample_rate_hz,
            channels_count=config.channels_count,
            protocol=protocol,
            frame_rate=frame_rate,
        )
        info = self.info
        publish(lambda sink: sink.on_epoch(info))

    @property
    def end_date_time(self) -> datetime:
        """Wall clock at the end of what is published, on the media's clock."""
        ticks = self._counters.point.next_ticks - self.info.start_ticks
        return self.info.program_date_time + timedelta(seconds=to_seconds(ticks))

    @property
    def silent_count(self) -> int:
        """Silent AAC frames put in so far."""
        return self._segmenter.audio.silent_count

    @property
    def late_audio_count(self) -> int:
        """Frames of sound that came too late to be published."""
        return self._segmenter.audio.dropped_count

    def write_video(self, unit: VideoUnit) -> None:
        frame = VideoFrame(unit.dts + self._offset, unit.pts + self._offset, unit.data, unit.is_idr)
        self._publish_cuts(self._segmenter.write_video(frame))

    def write_audio(self, unit: AudioUnit) -> None:
        self._publish_cuts(self._segmenter.write_audio(unit.pts + self._offset, unit.data))

    def pass_time(self, source_now: int) -> None:
        """No media came; the source's clock is about ``source_now``."""
        self._publish_cuts(self._segmenter.pass_time(source_now + self._offset))

    def finish(self, source_end: int | None = None) -> list[AudioUnit]:
        """Publish the rest; return sound of the source that lies beyond the end."""
        end = None if source_end is None else source_end + self._offset
        self._publish_cuts(self._segmenter.finish(end))
        return [
            AudioUnit(ticks - self._offset, data)
            for ticks, data in self._segmenter.audio.take_rest()
        ]

    def _publish_cuts(self, cuts: Iterable[Cut]) -> None:
        for cut in cuts:
            if isinstance(cut, CutPart):
                self._publish_part(cut)
            else:
                self._publish_segment(cut)

    def _publish_part(self, cut: CutPart) -> None:
        self._sequence += 1
        part = Part(
            epoch=self.info.epoch,
            msn=self._counters.point.next_msn,
            index=cut.index,
            start_ticks=cut.start_ticks,
            duration_ticks=cut.end_ticks - cut.start_ticks,
            is_independent=cut.is_independent,
            media=build_media(self._sequence, cut),
        )
        for rendition, media in part.media.items():
            self._sizes[rendition] += len(media)
        self._publish(lambda sink: sink.on_part(part))

    def _publish_segment(self, cut: CutSegment) -> None:
        segment = SegmentInfo(
            epoch=self.info.epoch,
            msn=self._counters.point.next_msn,
            start_ticks=cut.start_ticks,
            duration_ticks=cut.end_ticks - cut.start_ticks,
            sizes=self._sizes,
            parts_count=cut.parts_count,
        )
        self._sizes = dict.fromkeys(RENDITIONS, 0)
        self._counters.close_segment(cut.end_ticks)
        self._publish(lambda sink: sink.on_segment(segment))

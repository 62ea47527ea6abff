"""What the units of a job hand on. Pure."""

from __future__ import annotations

from transcode.specs.base import Frozen


class StagedFile(Frozen):
    key: str
    size_bytes: int


class EncodedRung(Frozen):
    """One range of one rung.

    Attributes:
        is_decoded: Every frame was decoded again where it was encoded.
    """

    rung: str
    file: StagedFile
    frames_count: int
    is_decoded: bool = False


class EncodedVideo(Frozen):
    """What ``encode_video`` and ``copy_video`` bring.

    Attributes:
        keyframes: Lecture ticks of every keyframe of a copied track; empty when encoded.
    """

    rungs: tuple[EncodedRung, ...]
    keyframes: tuple[int, ...] = ()
    commands: tuple[str, ...]
    wall_s: float


class EncodedAudio(Frozen):
    """The sound, encoded and measured.

    Attributes:
        loudness_lufs: Of the source, before the gain; ``None`` for silence.
        waveform: ``waveform.json``: peaks and silences.
        download: ``audio.m4a``, the same packets as a plain file; ``None`` for silence.
        silences: Half-open ranges in ms, at most 500.
    """

    file: StagedFile
    samples_count: int
    sample_rate_hz: int
    loudness_lufs: float | None
    gain_db: float
    waveform: StagedFile | None = None
    download: StagedFile | None = None
    silences: tuple[tuple[int, int], ...] = ()
    commands: tuple[str, ...]
    wall_s: float


class MadeImages(Frozen):
    """Pictures of a lecture.

    Attributes:
        candidates: ``poster-{ms}.jpg`` by lecture time, the best one first.
        sheets: Of the storyboard, in order; empty without pictures, like ``vtt`` and ``slides``.
    """

    poster: StagedFile
    candidates: tuple[StagedFile, ...] = ()
    sheets: tuple[StagedFile, ...] = ()
    vtt: StagedFile | None = None
    slides: StagedFile | None = None
    commands: tuple[str, ...]

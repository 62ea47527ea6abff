"""Choose the picture and the sound of a lecture among a file's tracks. Pure."""

from __future__ import annotations

from fractions import Fraction

from transcode.intake.streams import AudioStream, Container, VideoStream


def rank_videos(container: Container) -> tuple[VideoStream, ...]:
    """Moving pictures, the best one first: by default flag, then pixels, then length."""
    moving = [item for item in container.videos if not item.is_still]
    # Recorders mark every track as default; then the flag says nothing.
    says = sum(item.is_default for item in moving) == 1
    return tuple(
        sorted(
            moving,
            key=lambda item: (
                not (says and item.is_default),
                -item.width_px * item.height_px,
                -(item.claimed_s or Fraction(0)),
                item.index,
            ),
        )
    )


def rank_audios(container: Container) -> tuple[AudioStream, ...]:
    """Sound tracks, the best one first: no commentary, default, channels, then length."""
    says = sum(item.is_default for item in container.audios) == 1
    return tuple(
        sorted(
            container.audios,
            key=lambda item: (
                item.is_commentary,
                not (says and item.is_default),
                -min(item.channels_count, 6),
                -item.sample_rate_hz,
                -(item.claimed_s or Fraction(0)),
                item.index,
            ),
        )
    )

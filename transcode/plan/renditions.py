"""The renditions of a plan as the API tells them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from kernel.messages import RenditionPlan
from transcode.specs import Rung

AUDIO_NAME: Final = "audio"
AUDIO_BPS: Final = 96_000
SHARED_SOUND: Final = "所有清晰度共用的声音,也可单独收听(有声党课)"


def describe_renditions(
    rungs: Sequence[Rung],
    explain: Callable[[Rung], str],
    *,
    sound: str = SHARED_SOUND,
    sound_bps: int | None = AUDIO_BPS,
) -> tuple[RenditionPlan, ...]:
    """List every rung with its reason, and the sound last.

    Args:
        explain: Says why a rung is made as it is.
        sound: The same of the sound.
        sound_bps: ``None`` where it is what it was.
    """
    video = [
        RenditionPlan(
            name=rung.name,
            kind="video",
            width_px=rung.width_px,
            height_px=rung.height_px,
            codec=rung.codec,
            bitrate_bps=rung.maxrate_bps,
            reason=explain(rung),
        )
        for rung in rungs
    ]
    audio = RenditionPlan(
        name=AUDIO_NAME, kind="audio", codec="aac", bitrate_bps=sound_bps, reason=sound
    )
    return (*video, audio)

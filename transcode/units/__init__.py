"""The kinds of units, one module each; ``RUNNERS`` says which function runs which kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from kernel.messages import UnitKind
from transcode.context import Outcome, UnitContext
from transcode.units.copy_video import copy_video
from transcode.units.encode_audio import encode_audio
from transcode.units.encode_video import encode_video
from transcode.units.make_clip import make_clip
from transcode.units.make_images import make_images
from transcode.units.plan_edit import plan_edit
from transcode.units.plan_recording import plan_recording
from transcode.units.plan_upload import plan_upload
from transcode.units.publish_asset import publish_asset
from transcode.units.transcribe import transcribe

Runner = Callable[[UnitContext], Awaitable[Outcome]]

RUNNERS: Final[Mapping[UnitKind, Runner]] = MappingProxyType(
    {
        "plan_recording": plan_recording,
        "plan_upload": plan_upload,
        "plan_edit": plan_edit,
        "encode_video": encode_video,
        "copy_video": copy_video,
        "encode_audio": encode_audio,
        "make_images": make_images,
        "transcribe": transcribe,
        "make_clip": make_clip,
        "publish_asset": publish_asset,
    }
)

"""Decode AV1 before anybody sees it: with the ffmpeg where it can, else with PyAV's dav1d."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kernel.errors import EncodeError
from kernel.timing import to_seconds
from transcode.av1 import child
from transcode.commands.capabilities import list_parts, parse_parts
from transcode.context import UnitContext
from transcode.joins import JoinedFile
from transcode.specs import Rung
from transcode.verify import verify_files

SOFTWARE: Final = frozenset({"libdav1d", "libaom-av1"})  # ffmpeg's own "av1" needs hardware.


def has_pyav() -> bool:
    """Tell whether PyAV is there, without loading it."""
    return importlib.util.find_spec("av") is not None


async def verify_av1(
    context: UnitContext,
    rungs: Sequence[tuple[Rung, JoinedFile]],
    *,
    share: tuple[float, float],
) -> list[str]:
    """Decode every rung once; return the command.

    Raises:
        EncodeError: Something does not decode, fewer frames come out than went in, or nothing
            here decodes AV1.
    """
    said = await context.ask(list_parts(context.programs.ffmpeg, "decoders"))
    if SOFTWARE & parse_parts(said.decode("utf-8", "replace")):
        return await verify_files(context, rungs, None, share=share) or []
    if not has_pyav():
        raise EncodeError(
            "no decoder of AV1: neither this ffmpeg nor PyAV", permanent=True,
            title_zh="没有 AV1 解码器,无法检查转码结果",
        )  # fmt: skip
    output = context.folder / "av1.json"
    argv = [
        *(sys.executable, "-I", str(Path(child.__file__).resolve()), str(output)),
        *(str(joined.path) for _, joined in rungs),
    ]
    longest = max(joined.duration_ticks for _, joined in rungs)
    await context.encode(argv, media_s=to_seconds(longest), share=share)
    counts = json.loads(await asyncio.to_thread(output.read_text, "ascii"))
    for (rung, joined), decoded in zip(rungs, counts, strict=True):
        if decoded != joined.samples_count:
            raise EncodeError(
                f"{rung.name}: {decoded} of {joined.samples_count} frames decode",
                title_zh="转码结果没有通过检查",
            )
    return argv

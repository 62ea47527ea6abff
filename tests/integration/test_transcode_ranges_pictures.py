"""What the pictures of a file become: upright, progressive, 8-bit, limited range, SDR, square.

The source shows four fields: red, green / blue, white (top left, top right / bottom ...). What
comes out is read as numbers.
"""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kernel.timing import TICKS_PER_S
from tests.support.file_ranges import (
    SHAPE,
    Stored,
    build_context,
    build_rung,
    hash_ranges,
    store_file,
)
from tests.support.rtc import find_ffmpeg8
from tests.support.synthetic_recording import FFMPEG, run_ffmpeg
from transcode import commands
from transcode.sources import open_source
from transcode.specs import DecodeSpec, EncodeVideoSpec, Grid, Rung, Shape

RATE = Fraction(25)
FIELDS = (
    "color=red:s={w}x{h}:r=25,format=gbrp[a];color=lime:s={w}x{h}:r=25,format=gbrp[b];"
    "color=blue:s={w}x{h}:r=25,format=gbrp[c];color=white:s={w}x{h}:r=25,format=gbrp[d];"
    "[a][b]hstack[x];[c][d]hstack[y];[x][y]vstack"
)
# Y, Cb, Cr in limited range.
BT709 = {"r": (63, 102, 240), "g": (173, 42, 26), "b": (32, 240, 118), "w": (235, 128, 128)}
BT601 = {"r": (81, 90, 240), "g": (145, 54, 34), "b": (41, 240, 110), "w": (235, 128, 128)}
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "8")
Pixel = tuple[int, int, int]


async def store_fields(
    folder: Path, *options: str, size: str = "160x90", filters: str = "null", seconds: str = "0.4"
) -> Stored:
    width, height = (int(part) for part in size.split("x"))
    graph = FIELDS.format(w=width // 2, h=height // 2) + f",{filters}"
    path = folder / "source.mkv"
    await asyncio.to_thread(
        run_ffmpeg, "-filter_complex", graph, "-t", seconds, *(options or X264), path
    )
    return await store_file(folder, path, demuxer="matroska", rate=RATE)


async def see(
    folder: Path,
    stored: Stored,
    *,
    shape: Shape = SHAPE,
    rung: Rung | None = None,
    colour: str = "bt709",
    **decode: Any,
) -> dict[str, Pixel]:
    """Return the middle of the fields ``tl tr bl br`` of the first frame."""
    rung = rung or build_rung("top", RATE, shape)
    spec = EncodeVideoSpec(
        start_ticks=0,
        end_ticks=stored.duration_ticks,
        grid=Grid.regular(RATE),
        source=stored.source,
        decode=DecodeSpec.model_validate({"pixel_format": "yuv420p", **decode}),
        shape=shape,
        rungs=(rung,),
        colour=colour,
        preset="ultrafast",
    )
    context = build_context(stored.store, folder / "see")
    target = folder / "frame.yuv"
    argv = commands.encode_video(
        Path(FFMPEG),
        spec,
        media=await open_source(context, stored.source),
        outputs={rung.name: target},
        muxer={"c:v": "rawvideo", "f": "rawvideo", "frames:v": 1},
    )
    done = await asyncio.to_thread(
        subprocess.run, argv, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    await stored.store.close()
    width, height = rung.width_px, rung.height_px
    data = await asyncio.to_thread(target.read_bytes)
    assert len(data) == width * height + 2 * (-(-width // 2) * -(-height // 2))
    places = {"tl": (1, 1), "tr": (3, 1), "bl": (1, 3), "br": (3, 3)}
    return {
        name: read_pixel(data, width, height, width * x // 4, height * y // 4)
        for name, (x, y) in places.items()
    }


def read_pixel(data: bytes, width: int, height: int, x: int, y: int) -> Pixel:
    size, half = width * height, -(-width // 2)
    chroma = half * -(-height // 2)
    place = size + (y // 2) * half + x // 2
    return data[y * width + x], data[place], data[place + chroma]


def name_fields(seen: dict[str, Pixel], colours: dict[str, Pixel], *, off: int = 3) -> str:
    """Spell the colours at top left, top right, bottom left, bottom right."""
    word = ""
    for place in ("tl", "tr", "bl", "br"):
        near = [
            name
            for name, colour in colours.items()
            if all(abs(a - b) <= off for a, b in zip(seen[place], colour, strict=True))
        ]
        assert near, (place, seen[place])
        word += near[0]
    return word


TV = "scale=out_color_matrix=bt709:out_range=tv,format={}"


@pytest.mark.parametrize(
    ("decode", "word"),
    [
        ({"rotation_deg": 0}, "rgbw"),
        ({"rotation_deg": 90}, "brwg"),
        ({"rotation_deg": 180}, "wbgr"),
        ({"rotation_deg": 270}, "gwrb"),
        ({"rotation_deg": 0, "is_mirrored": True}, "grwb"),
        ({"rotation_deg": 90, "is_mirrored": True}, "wgbr"),
    ],
)
async def test_pictures_stand_upright(tmp_path: Path, decode: dict[str, Any], word: str) -> None:
    stored = await store_fields(tmp_path, filters=TV.format("yuv420p"))
    is_turned = decode["rotation_deg"] in {90, 270}
    upright = Shape(width_px=90, height_px=160) if is_turned else SHAPE
    seen = await see(tmp_path, stored, shape=upright, **decode)
    assert name_fields(seen, BT709) == word


@pytest.mark.parametrize(
    ("filters", "options", "decode"),
    [
        (TV.format("yuv420p10le"), X264, {"pixel_format": "yuv420p10le"}),
        (TV.format("yuv444p"), X264, {"pixel_format": "yuv444p"}),
        (TV.format("yuv422p10le"), X264, {"pixel_format": "yuv422p10le"}),
        (
            "scale=out_color_matrix=bt709:out_range=pc,format=yuvj420p",
            X264,
            {"pixel_format": "yuvj420p", "is_full_range": True},
        ),
        (
            "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p",
            X264,
            {"matrix": "smpte170m"},
        ),
        (
            "scale=out_color_matrix=smpte240m:out_range=tv,format=yuv420p",
            X264,
            {"matrix": "smpte240m"},
        ),
        (
            "format=gbrp",
            ("-c:v", "libx264rgb", "-crf", "8"),
            {"pixel_format": "gbrp", "matrix": "gbr", "is_full_range": True},
        ),
    ],
    ids=["10-bit", "4:4:4", "4:2:2-10", "full-range", "bt601", "smpte240m", "rgb"],
)
async def test_every_kind_of_numbers_becomes_the_same_colours(
    tmp_path: Path, filters: str, options: tuple[str, ...], decode: dict[str, Any]
) -> None:
    stored = await store_fields(tmp_path, *options, filters=filters)
    seen = await see(tmp_path, stored, **decode)
    assert name_fields(seen, BT709) == "rgbw"


async def test_old_pictures_keep_their_matrix(tmp_path: Path) -> None:
    stored = await store_fields(
        tmp_path, filters="scale=out_color_matrix=bt601:out_range=tv,format=yuv420p"
    )
    seen = await see(tmp_path, stored, colour="smpte170m", matrix="smpte170m")
    assert name_fields(seen, BT601) == "rgbw"


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "pq"), ("arib-std-b67", "hlg")])
async def test_hdr_is_mapped_to_what_screens_show(tmp_path: Path, transfer: str, name: str) -> None:
    """Paper at 203 cd/m2 is bright; what is brighter still differs from it."""
    seen = {
        white: await see_hdr(tmp_path / f"{white}", transfer, name, white=white)
        for white in (203, 600)
    }
    paper, light = seen[203]["br"], seen[600]["br"]
    assert 140 <= paper[0] <= 215
    assert paper[0] + 10 <= light[0] <= 235, "highlights are not cut off"
    assert max(abs(part - 128) for part in (*paper[1:], *light[1:])) <= 3, "white has no tint"
    red, green, blue = (seen[203][place] for place in ("tl", "tr", "bl"))
    assert red[2] > 170
    assert red[1] < 128
    assert max(green[1:]) < 100
    assert blue[1] > 170


async def see_hdr(folder: Path, transfer: str, name: str, *, white: int) -> dict[str, Pixel]:
    """Made by another program's colour engine (zimg); ``white`` in cd/m2."""
    folder.mkdir()
    path = folder / "hdr.mp4"
    graph = (
        f"{FIELDS.format(w=80, h=45)},scale=out_color_matrix=bt709:out_range=tv,format=yuv444p10le,"
        "setparams=colorspace=bt709:color_trc=bt709:color_primaries=bt709:range=tv,"
        "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020,"
        f"zscale=t={transfer}:m=bt2020nc:r=limited:npl={white},format=yuv420p10le"
    )
    argv = [
        *[str(find_ffmpeg8()), "-v", "error", "-nostdin", "-filter_complex", graph],
        *["-t", "0.2", "-c:v", "libx265", "-preset", "ultrafast", "-crf", "8"],
        *["-x265-params", "log-level=error", "-color_trc", transfer, str(path)],
    ]
    await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, timeout=60)
    stored = await store_file(folder, path, demuxer="mov", rate=RATE)
    return await see(
        folder,
        stored,
        pixel_format="yuv420p10le",
        matrix="bt2020nc",
        primaries="bt2020",
        transfer=name,
    )


async def test_anamorphic_pictures_fill_the_frame(tmp_path: Path) -> None:
    stored = await store_fields(tmp_path, size="120x96", filters=TV.format("yuv420p"))
    shape = Shape(width_px=120, height_px=96, sar_num=64, sar_den=45)
    rung = build_rung("top", RATE, Shape(width_px=176, height_px=98))
    seen = await see(tmp_path, stored, shape=shape, rung=rung)
    assert name_fields(seen, BT709) == "rgbw"


async def test_odd_sizes_are_made_even(tmp_path: Path) -> None:
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M")
    filters = "scale=161:121:out_color_matrix=bt709:out_range=tv,format=yuv420p"
    stored = await store_fields(tmp_path, *vp9, filters=filters)
    rung = build_rung("top", RATE, Shape(width_px=160, height_px=120))
    seen = await see(tmp_path, stored, shape=Shape(width_px=161, height_px=121), rung=rung)
    assert name_fields(seen, BT709, off=6) == "rgbw"


@pytest.mark.parametrize("order", ["tff", "bff"])
async def test_interlaced_pictures_lose_their_combs(tmp_path: Path, order: str) -> None:
    path = tmp_path / "source.mkv"
    mode = "interleave_top" if order == "tff" else "interleave_bottom"
    bar = "color=black:s=160x96:r=50[k];color=white:s=24x96:r=50[b];[k][b]overlay=x='mod(n*6,160)'"
    await asyncio.to_thread(
        run_ffmpeg,
        *["-filter_complex", f"{bar},format=yuv420p,tinterlace={mode}", "-t", 2],
        *[*X264, "-x264-params", f"{order}=1", path],
    )
    stored = await store_file(tmp_path, path, demuxer="matroska", rate=RATE)
    rungs = (build_rung("top", RATE, Shape(width_px=160, height_px=96)),)
    seen: dict[str, float] = {}
    for name in ("progressive", order):
        decode = DecodeSpec.model_validate({"pixel_format": "yuv420p", "field_order": name})
        seen[name] = await measure_combs(tmp_path / name, stored, rungs, decode)
    await stored.store.close()
    assert seen["progressive"] > 8, "the source does have combs"
    assert seen[order] < seen["progressive"] / 5


async def measure_combs(
    folder: Path, stored: Stored, rungs: tuple[Rung, ...], decode: DecodeSpec
) -> float:
    """Mean difference of neighbouring rows, over all frames; a bar is as high as the picture."""
    width, height = rungs[0].width_px, rungs[0].height_px
    context = build_context(stored.store, folder)
    spec = EncodeVideoSpec(
        start_ticks=0,
        end_ticks=stored.duration_ticks,
        grid=Grid.regular(RATE),
        source=stored.source,
        decode=decode,
        shape=None,
        rungs=rungs,
        colour="bt709",
        preset="ultrafast",
    )
    target = folder / "frames.yuv"
    argv = commands.encode_video(
        Path(FFMPEG),
        spec,
        media=await open_source(context, stored.source),
        outputs={"top": target},
        muxer={"c:v": "rawvideo", "f": "rawvideo"},
    )
    await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, timeout=60)
    data = await asyncio.to_thread(target.read_bytes)
    size = width * height * 3 // 2
    total = count = 0
    for start in range(0, len(data), size):
        for row in range(10, height - 10):
            place = start + row * width
            one, other = data[place : place + width], data[place + width : place + 2 * width]
            total += sum(abs(a - b) for a, b in zip(one, other, strict=True))
            count += width
    return total / count


async def test_pictures_that_change_their_size_keep_their_number(tmp_path: Path) -> None:
    """Browsers record what the camera gives: 160x90, then 320x240, then 160x90 again."""
    parts: list[bytes] = []
    for number, size in enumerate(("160x90", "320x240", "160x90")):
        part = tmp_path / f"{number}.ts"
        await asyncio.to_thread(
            run_ffmpeg,
            *["-f", "lavfi", "-t", 3, "-i", f"testsrc2=s={size}:r=25", *X264],
            *["-pix_fmt", "yuv420p", "-bf", "0", "-output_ts_offset", 3 * number, part],
        )
        parts.append(await asyncio.to_thread(part.read_bytes))
    path = tmp_path / "source.ts"
    await asyncio.to_thread(path.write_bytes, b"".join(parts))
    stored = await store_file(tmp_path, path, demuxer="mpegts", rate=RATE)
    stored = replace(stored, duration_ticks=9 * TICKS_PER_S)
    rungs = (build_rung("top", RATE), build_rung("half", RATE / 2))
    whole = await hash_ranges(tmp_path / "whole", stored, rungs, range_s=600)
    cut = await hash_ranges(tmp_path / "cut", stored, rungs, range_s=4)
    await stored.store.close()
    # The third part shows the pictures of the first one again.
    assert len(set(whole["top"])) >= 149, "every picture is shown"
    assert cut == whole


@pytest.mark.parametrize("place", ["middle", "tail"])
async def test_damaged_files_give_every_frame_of_their_length(tmp_path: Path, place: str) -> None:
    path = tmp_path / "source.ts"
    await asyncio.to_thread(
        run_ffmpeg,
        *["-f", "lavfi", "-t", 9, "-i", "testsrc2=s=160x90:r=25", *X264, "-g", "25"],
        *["-pix_fmt", "yuv420p", path],
    )
    stored = await store_file(tmp_path, path, demuxer="mpegts", rate=RATE)
    data = bytearray(await asyncio.to_thread(path.read_bytes))
    if place == "middle":
        start = len(data) * 2 // 5
        data[start : start + len(data) // 10] = bytes(
            (n * 37 + n // 188) % 256 for n in range(len(data) // 10)
        )
    else:
        del data[len(data) * 3 // 5 :]
    local = stored.store.local_path(stored.source.key)
    assert local is not None
    await asyncio.to_thread(local.write_bytes, data)
    rungs = (build_rung("top", RATE),)
    # hash_ranges counts the frames of every range.
    found = await hash_ranges(tmp_path / "cut", stored, rungs, range_s=4)
    await stored.store.close()
    assert len(set(found["top"])) > 9 * 25 // 2

"""Whatever is sent as a poster: a clean JPEG comes out, or a sentence."""

from __future__ import annotations

import io
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from kernel.errors import InputError
from vod.posters.picture import MAX_PIXELS, clean_picture_blocking


def make_picture(kind: str, **options: object) -> bytes:
    output = io.BytesIO()
    image = Image.new("RGB", (160, 90), (200, 30, 30))
    for x in range(160):
        image.putpixel((x, x * 90 // 160), (x, 255 - x, 90))
    image.save(output, kind, **options)
    return output.getvalue()


GOOD = {
    "jpeg": make_picture("JPEG"),
    "progressive": make_picture("JPEG", progressive=True),
    "png": make_picture("PNG"),
}


def judge(data: bytes) -> None:
    picture, refusal = None, None
    try:
        picture = clean_picture_blocking(data)
    except InputError as error:
        refusal = error
    if picture is None:
        assert refusal is not None
        assert refusal.http_status in {413, 415, 422}
        assert any("\u4e00" <= char <= "\u9fff" for char in refusal.title)
        return
    with Image.open(io.BytesIO(picture.data)) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert image.size == (picture.width_px, picture.height_px)
        image.load()


@given(data=st.binary(max_size=400))
@example(b"")
@example(b"\x89PNG\r\n\x1a\n")
@example(b"\xff\xd8\xff\xd8\xff\xd9")
def test_any_bytes(data: bytes) -> None:
    judge(data)


@given(
    name=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=12),
    length=st.integers(0, 5_000),
)
def test_broken_pictures(name: str, changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(GOOD[name])
    for position, value in changes:
        data[position % len(data)] = value
    judge(bytes(data[: max(1, length)]) if length % 3 == 0 else bytes(data))


@pytest.mark.parametrize("side", [6_400, 65_500])
def test_a_claim_of_many_pixels_is_judged_by_the_header(side: int) -> None:
    png = bytearray(make_picture("PNG"))
    png[16:24] = side.to_bytes(4, "big") * 2  # IHDR: width and height.
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    assert side * side > MAX_PIXELS
    with pytest.raises(InputError) as refused:
        clean_picture_blocking(bytes(png))
    assert refused.value.http_status == 413

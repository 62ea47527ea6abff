"""Clips: sizes, crops and bits from a limit, captions as a list of pictures."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from kernel.errors import EncodeError
from kernel.messages import EmbeddedCue
from kernel.timing import TICKS_PER_S
from transcode import commands
from transcode.clips.lettering import (
    BLANK,
    draw_cues_blocking,
    plan_strip,
    render_list,
    split_cues,
)
from transcode.clips.plan import Box, ClipPlan, build_clip_plan, find_crop
from transcode.clips.spec import ClipSource, MakeClipSpec
from transcode.commands.base import MediaInput
from transcode.units.make_clip import check_clip

MB = 1_000_000
HD = ClipSource(name="1080p", width_px=1920, height_px=1080)


def make_spec(seconds: float = 50, **values: Any) -> MakeClipSpec:
    given: dict[str, Any] = {
        "prefix": "assets/a/0/", "target": "clips/a/b/", "source": HD, "has_sound": True,
        "start_ticks": 730 * TICKS_PER_S, "end_ticks": round((730 + seconds) * TICKS_PER_S),
        "shape": "crop", "limit_bytes": 60 * MB, **values,
    }  # fmt: skip
    return MakeClipSpec.model_validate(given)


@pytest.mark.parametrize("shape", ["landscape", "crop", "blur"])
@pytest.mark.parametrize("seconds", [1.0, 50.0, 600.0])
@pytest.mark.parametrize("megabytes", [10, 60, 500])
def test_what_is_allowed_is_never_exceeded(shape: str, seconds: float, megabytes: int) -> None:
    spec = make_spec(seconds, shape=shape, limit_bytes=megabytes * MB)
    if (seconds, megabytes) == (600, 10):
        with pytest.raises(EncodeError) as caught:
            build_clip_plan(spec)
        assert caught.value.permanent
        return
    plan = build_clip_plan(spec)
    # All that a rate control of one second's buffer may write.
    most = (plan.video_bps * (seconds + 1) + plan.sound_bps * seconds) / 8
    assert most <= spec.limit_bytes * 0.941
    assert plan.width_px % 2 == plan.height_px % 2 == 0


def test_few_bits_make_a_smaller_picture() -> None:
    sizes = [
        (plan.width_px, plan.height_px)
        for limit in (60, 30, 24)
        for plan in [build_clip_plan(make_spec(300, limit_bytes=limit * MB))]
    ]
    assert sizes == [(1080, 1920), (720, 1280), (720, 1280)]
    wide = [
        build_clip_plan(make_spec(600, shape="landscape", limit_bytes=limit * MB)).height_px
        for limit in (300, 60, 25, 20)
    ]
    assert wide == [1080, 720, 480, 360]


def test_a_landscape_is_not_enlarged_and_keeps_its_form() -> None:
    old = ClipSource(name="v", width_px=640, height_px=480)
    plan = build_clip_plan(make_spec(shape="landscape", source=old))
    assert (plan.width_px, plan.height_px, plan.crop, plan.inner) == (640, 480, None, None)
    large = ClipSource(name="v", width_px=3840, height_px=2160)
    assert build_clip_plan(make_spec(shape="landscape", source=large)).width_px == 1920
    small = build_clip_plan(make_spec(source=old))
    assert (small.width_px, small.height_px) == (720, 1280)


@pytest.mark.parametrize(
    ("size", "crop_x", "box"),
    [
        ((1920, 1080), 0.0, Box(606, 1080, 0, 0)),
        ((1920, 1080), 0.5, Box(606, 1080, 656, 0)),
        ((1920, 1080), 1.0, Box(606, 1080, 1314, 0)),
        ((720, 1280), 0.3, Box(720, 1280, 0, 0)),
        ((720, 1600), 0.9, Box(720, 1280, 0, 160)),
    ],
)
def test_the_crop_lies_inside_the_picture(size: tuple[int, int], crop_x: float, box: Box) -> None:
    source = ClipSource(name="v", width_px=size[0], height_px=size[1])
    assert find_crop(source, crop_x=crop_x) == box
    assert box.x_px + box.width_px <= size[0]
    assert box.y_px + box.height_px <= size[1]


def test_the_command_crops_letters_and_limits() -> None:
    spec = make_spec(crop_x=0.25)
    plan = build_clip_plan(spec)
    media = MediaInput("/x/1080p.mp4", "mp4")
    argv = commands.encode_clip(
        Path("/ffmpeg"), plan, pictures=media, sound=MediaInput("/x/audio.mp4", "mp4"),
        start_ticks=spec.start_ticks, words=(Path("/w/l"), plan_strip(plan)),
        output=Path("/o.mp4"), title="片段",
    )  # fmt: skip
    text = " ".join(argv)
    assert text.count("-ss 730.000000") == 2
    assert "crop=606:1080:328:0" in text
    assert "scale=1080:1920" in text
    assert f"y={plan_strip(plan).top_px}" in text
    assert f"-maxrate {plan.video_bps}" in text
    assert "+faststart" in text
    assert "volume" not in text
    blur = build_clip_plan(make_spec(shape="blur", has_sound=False))
    assert blur.inner == (1080, 606)
    quiet = commands.encode_clip(
        Path("/ffmpeg"), blur, pictures=media, sound=None, start_ticks=0, words=None,
        output=Path("/o.mp4"),
    )  # fmt: skip
    assert "boxblur=5:2" in " ".join(quiet)
    assert "-an" in quiet


def cue(start_ms: int, end_ms: int, text: str) -> EmbeddedCue:
    return EmbeddedCue(start_ms=start_ms, end_ms=end_ms, text=text)


def test_long_captions_follow_one_another() -> None:
    long = "知史以明鉴,学史明理、学史增信、学史崇德、学史力行,从星星之火到燎原之势"
    parts = list(
        split_cues(
            [cue(3000, 9000, long), cue(0, 2000, "开场"), cue(9500, 30_000, "结束")],
            limit=20, duration_ms=10_000,
        )
    )  # fmt: skip
    assert parts[0] == (0, 2000, ("开场",))
    assert parts[-1] == (9500, 10_000, ("结束",))
    middle = parts[1:-1]
    assert len(middle) > 1
    assert (middle[0][0], middle[-1][1]) == (3000, 9000)
    assert all(one[1] == two[0] for one, two in itertools.pairwise(middle))
    assert "".join(line for part in middle for line in part[2]) == long


def test_the_list_has_pauses_and_ends_empty() -> None:
    text = render_list([(500, 1500, "a.png"), (1500, 2000, "b.png")], duration_ms=3000)
    assert text.splitlines() == [
        "ffconcat version 1.0", f"file {BLANK}", "duration 0.500", "file a.png",
        "duration 1.000", "file b.png", "duration 0.500", f"file {BLANK}", "duration 1.000",
        f"file {BLANK}",
    ]  # fmt: skip


def test_without_a_font_the_sentence_says_so(tmp_path: Path) -> None:
    plan = build_clip_plan(make_spec())
    with pytest.raises(EncodeError) as caught:
        draw_cues_blocking([cue(0, 900, "字")], plan, folder=tmp_path, font=None)
    assert caught.value.permanent
    assert "字体" in caught.value.title
    drawn = draw_cues_blocking([cue(0, 900, "A letter")], plan, folder=tmp_path, font=None)
    assert (tmp_path / "words-00000.webp").stat().st_size > 100
    assert "duration 0.900" in drawn.read_text()


def test_what_was_made_is_checked() -> None:
    plan = ClipPlan(720, 1280, 1_000_000, 128_000, 3.0)
    video = {"codec_type": "video", "width": 720, "height": 1280, "duration": "3.04"}
    sound = {"codec_type": "audio"}
    assert check_clip([video, sound], plan, has_sound=True) == 3.04
    for streams in ([video], [{**video, "width": 718}, sound], [{**video, "duration": "2"}, sound]):
        with pytest.raises(EncodeError):
            check_clip(streams, plan, has_sound=True)

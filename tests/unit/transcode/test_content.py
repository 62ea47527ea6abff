"""What trial encodes say about a lecture, and the ladder that follows from it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from transcode.plan.content import (
    MAX_CRF,
    MAX_LOSS_VMAF,
    MAX_LOWER_LOSS_VMAF,
    MAX_WINDOWS,
    MIN_CRF,
    REFERENCE_CRF,
    TRIAL_CRFS,
    ContentFacts,
    Trial,
    choose_crf,
    choose_lower_crf,
    choose_top_crf,
    classify,
    conclude_content,
    estimate_bps,
    parse_trials,
    parse_vmaf,
    plan_trial_windows,
    predict_vmaf,
)
from transcode.plan.ladder import build_ladder
from transcode.specs import Shape

HD = Shape(width_px=1280, height_px=720)
PIXELS = 1280 * 720
SAID = """
[libx264 @ 0xaa] using SAR=1/1
[libx264 @ 0xbb] using SAR=1/1
[libx264 @ 0xaa] profile High, level 3.1, 4:2:0, 8-bit
[libx264 @ 0xbb] profile High, level 3.1, 4:2:0, 8-bit
Output #0, null, to 'pipe:':
[libx264 @ 0xbb] frame I:1     Avg QP:24.10  size: 30000
[libx264 @ 0xbb] mb P  I16..4:  1.0%  P16..4: 8.0%  0.0%  0.0%    skip:91.0%
[libx264 @ 0xbb] SSIM Mean Y:0.9800000 (16.990db)
[libx264 @ 0xbb] kb/s:400.50
[libx264 @ 0xaa] frame I:1     Avg QP:18.10  size: 60000
[libx264 @ 0xaa] mb P  I16..4:  2.0%  P16..4:18.0%  0.0%  0.0%    skip:80.0%
[libx264 @ 0xaa] mb B  I16..4:  0.1%  B16..8:12.0%  L0:50.0%  direct: 1.0%  skip:86.5%
[libx264 @ 0xaa] SSIM Mean Y:0.9900000 (20.000db)
[libx264 @ 0xaa] kb/s:900.00
"""


def make(*, ssim: float, skipped: float = 0.9, slope: float = 0.5) -> ContentFacts:
    first = Trial(ssim=ssim, bps=900_000, key_bytes=40_000, skipped=skipped)
    second = Trial(ssim=ssim, bps=900_000 * slope, key_bytes=20_000, skipped=skipped)
    windows = [dict(zip(TRIAL_CRFS, (first, second), strict=True))]
    content = conclude_content(windows, pixels_count=PIXELS)
    assert content is not None
    return content


CAMERA, DRAWN = make(ssim=0.98, skipped=0.6), make(ssim=0.9995, skipped=0.97)


def test_encoders_are_told_apart_by_the_order_of_their_start() -> None:
    trials = parse_trials(SAID, TRIAL_CRFS)
    assert trials[TRIAL_CRFS[0]] == Trial(ssim=0.99, bps=900_000, key_bytes=60_000, skipped=0.865)
    assert trials[TRIAL_CRFS[1]].ssim == 0.98


@given(st.text(max_size=400))
def test_any_text_is_read(text: str) -> None:
    assert set(parse_trials(text, TRIAL_CRFS)) <= set(TRIAL_CRFS)


def test_an_encoder_that_did_not_sum_up_is_left_out() -> None:
    assert list(parse_trials(SAID.replace("SSIM Mean Y:0.98", "x"), TRIAL_CRFS)) == [TRIAL_CRFS[0]]
    assert conclude_content([parse_trials("", TRIAL_CRFS)], pixels_count=PIXELS) is None


@given(st.floats(min_value=0.05, max_value=200_000))
def test_windows_lie_in_the_lecture_and_cost_little(duration_s: float) -> None:
    windows = plan_trial_windows(duration_s)
    assert 1 <= len(windows) <= MAX_WINDOWS
    previous = 0.0
    for start, end in windows:
        assert previous <= start < end <= duration_s + 1e-6
        previous = end
    assert sum(end - start for start, end in windows) <= max(1.0, 0.02 * duration_s + 1e-6)


def test_stillness_and_detail_name_the_content() -> None:
    def kind(skipped: float, key_bytes: float) -> str:
        return classify(Trial(0.98, 1.0, key_bytes, skipped), pixels_count=PIXELS)

    assert kind(0.98, 90_000) == "slides"
    assert kind(0.85, 90_000) == "screencast"
    assert kind(0.85, 20_000) == "talking_head"
    assert kind(0.20, 90_000) == "film"


def test_drawn_pictures_need_fewer_bits_for_the_target_than_a_camera_s() -> None:
    assert choose_crf(CAMERA, target_vmaf=95) == MIN_CRF
    drawn = choose_crf(DRAWN, target_vmaf=95)
    assert MIN_CRF < drawn <= MAX_CRF
    assert predict_vmaf(DRAWN, drawn) >= 95
    assert choose_crf(CAMERA, target_vmaf=90) > MIN_CRF


def test_no_rung_is_planned_far_below_the_settings_of_others() -> None:
    for content in (CAMERA, DRAWN, make(ssim=0.993)):
        reference = predict_vmaf(content, REFERENCE_CRF)
        top, lower = choose_top_crf(content), choose_lower_crf(content)
        assert reference - predict_vmaf(content, top) <= MAX_LOSS_VMAF
        assert top == MIN_CRF or reference - predict_vmaf(content, lower) <= MAX_LOWER_LOSS_VMAF
        assert MIN_CRF <= lower <= top <= MAX_CRF
    # Not the same for all: what a computer drew shrinks for a loss that nobody sees.
    assert choose_top_crf(DRAWN) > choose_top_crf(CAMERA)
    assert choose_lower_crf(DRAWN) > choose_lower_crf(CAMERA)


def test_the_top_rung_goes_down_to_the_target_only_where_vmaf_was_measured() -> None:
    trials = {
        crf: replace(trial, vmaf=vmaf)
        for (crf, trial), vmaf in zip(DRAWN.trials.items(), (98.0, 95.6), strict=True)
    }
    measured = replace(DRAWN, trials=trials)
    assert choose_top_crf(measured) == MAX_CRF
    assert choose_lower_crf(measured) < choose_top_crf(DRAWN)  # Smaller ones were not measured.


@given(
    st.floats(min_value=0.0, max_value=1.0),
    st.floats(min_value=50, max_value=100),
    st.floats(min_value=0, max_value=10),
)
def test_a_higher_target_never_gets_a_higher_crf(ssim: float, target: float, more: float) -> None:
    content = make(ssim=ssim)
    assert choose_crf(content, target_vmaf=target + more) <= choose_crf(content, target_vmaf=target)


def test_measured_vmaf_goes_before_the_curves() -> None:
    first, second = (
        Trial(ssim=0.98, bps=bps, key_bytes=1, skipped=0.6, vmaf=vmaf)
        for bps, vmaf in ((900_000, 97.0), (400_000, 91.0))
    )
    windows = [dict(zip(TRIAL_CRFS, (first, second), strict=True))]
    content = conclude_content(windows, pixels_count=PIXELS)
    assert content is not None
    assert predict_vmaf(content, 23) == 97
    assert predict_vmaf(content, 26) == 94
    assert choose_crf(content, target_vmaf=95) == 25
    # One window that could not be measured: the curves.
    half = [*windows, {crf: replace(trial, vmaf=None) for crf, trial in windows[0].items()}]
    unsure = conclude_content(half, pixels_count=PIXELS)
    assert unsure is not None
    assert predict_vmaf(unsure, 26) == predict_vmaf(make(ssim=0.98), 26)


@given(st.text(max_size=200))
def test_what_libvmaf_says_is_read_from_any_text(text: str) -> None:
    assert parse_vmaf(text) is None or 0 <= (parse_vmaf(text) or 0) <= 100
    assert parse_vmaf(f"{text}\n[Parsed_libvmaf_0 @ 0x1] VMAF score: 95.512345") == 95.512345


def test_estimates_pass_through_the_trials() -> None:
    assert estimate_bps(CAMERA, crf=TRIAL_CRFS[0], pixels_count=PIXELS) == 900_000
    assert abs(estimate_bps(CAMERA, crf=TRIAL_CRFS[1], pixels_count=PIXELS) - 450_000) <= 1
    assert estimate_bps(CAMERA, crf=26, pixels_count=PIXELS // 4) < 900_000


def test_rungs_follow_the_content_and_say_so() -> None:
    plain = build_ladder(HD, frame_rate=Fraction(30), source_bps=None)
    drawn = build_ladder(HD, frame_rate=Fraction(30), source_bps=None, content=DRAWN)
    assert [rung.name for rung in drawn.rungs] == [rung.name for rung in plain.rungs]
    assert drawn.rungs[0].crf > plain.rungs[0].crf
    assert plain.rungs[1].crf < drawn.rungs[1].crf <= drawn.rungs[0].crf
    assert "课件" in drawn.rungs[0].reason
    assert "VMAF" in drawn.rungs[0].reason


def test_a_rung_that_saves_too_little_is_skipped_with_a_reason() -> None:
    wide = Shape(width_px=848, height_px=480)
    still = make(ssim=0.9995, skipped=0.97, slope=0.85)
    drawn = build_ladder(wide, frame_rate=Fraction(25), source_bps=None, content=still)
    grainy = build_ladder(wide, frame_rate=Fraction(25), source_bps=None, content=CAMERA)
    assert [rung.name for rung in grainy.rungs] == ["480p", "360p", "station"]
    # Text of two sizes costs nearly the same: the smaller rung wins nothing.
    assert [rung.name for rung in drawn.rungs] == ["480p", "station"]
    assert any("360p" in reason for reason in drawn.skipped)

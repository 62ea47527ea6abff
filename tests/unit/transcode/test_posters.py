"""Which pictures represent a lecture, and where its slides change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transcode.posters import (
    KeyPicture,
    choose_posters,
    find_slides,
    name_poster,
    parse_stats,
    read_poster_time,
    render_slides,
)

STATS = """frame:0    pts:0       pts_time:0
lavfi.scd.mafd=0.000
lavfi.scd.score=0.000
lavfi.signalstats.YMIN=16
lavfi.signalstats.YLOW=20
lavfi.signalstats.YAVG=100.5
lavfi.signalstats.YHIGH=200
lavfi.signalstats.YMAX=235
lavfi.blur=4.5
lavfi.entropy.entropy.normal.Y=6.1
lavfi.entropy.normalized_entropy.normal.Y=0.77
frame:1    pts:360000  pts_time:4
lavfi.scd.mafd=12.5
lavfi.blur=-nan
"""


def shot(at_s: float, *, change: float = 0.1, **values: float) -> KeyPicture:
    usual = {"luma": 120.0, "spread": 100.0, "reach": 200.0, "blur": 5.0, "entropy": 0.8}
    return KeyPicture(at_s=at_s, change=change, **{**usual, **values})


def test_figures_are_read_by_frame() -> None:
    first, second = parse_stats(STATS)
    assert first == KeyPicture(0.0, 100.5, 180.0, 219.0, 4.5, 0.77, 0.0)
    assert (second.at_s, second.change, second.blur) == (4.0, 12.5, 0.0)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    parse_stats(text)
    parse_stats("frame:0 pts:0 pts_time:1\n" + text)


def test_black_blank_blurred_and_passing_pictures_lose() -> None:
    good = shot(30)
    others = [
        shot(0, luma=16, spread=0, reach=1, entropy=0.0),  # black
        shot(8, luma=235, spread=0, reach=2, entropy=0.0005),  # blank
        shot(16, blur=30.0),
        shot(22),  # The next one differs wholly: it is passing by.
        shot(26, change=40.0, entropy=0.3, blur=20.0),
        good,
        shot(34),
    ]
    chosen = choose_posters(others, duration_s=40, count=1)
    assert chosen == (good,)


def test_a_white_slide_with_few_words_is_no_blank_page() -> None:
    slide = shot(4, luma=230, spread=0, reach=219, entropy=0.03)
    assert choose_posters([shot(0, luma=16, reach=0, entropy=0), slide], duration_s=8)[0] == slide


def test_candidates_are_spread_over_the_lecture() -> None:
    pictures = [shot(4.0 * number, entropy=0.5 + number / 1000) for number in range(300)]
    chosen = choose_posters(pictures, duration_s=1200)
    assert len(chosen) == 8
    assert len({int(picture.at_s / 150) for picture in chosen}) == 8
    assert all(24 <= picture.at_s <= 1176 for picture in chosen), "not the curtain"


def test_a_lecture_that_is_black_throughout_has_a_poster_all_the_same() -> None:
    black = [shot(4.0 * n, luma=16, spread=0, reach=0, entropy=0) for n in range(9)]
    assert len(choose_posters(black, duration_s=36)) == 1
    assert choose_posters([], duration_s=36) == ()


def test_slides_stand_out_from_what_moves_anyhow() -> None:
    still = [shot(4.0 * n, change=0.02) for n in range(40)]
    still[10] = shot(40.0, change=1.2)  # A few words on white.
    still[30] = shot(120.0, change=30.0)
    found = find_slides(still)
    assert [slide.at_s for slide in found] == [40.0, 120.0]
    assert found[0].confidence == 1.0
    talking = [shot(4.0 * n, change=1.0 + n % 3) for n in range(40)]
    assert find_slides(talking) == ()
    film = [shot(4.0 * n, change=20.0) for n in range(40)]
    assert len(find_slides(film)) <= 1
    assert render_slides(found)["slides"][1] == {"start_s": 120.0, "confidence": 1.0}


def test_flicking_through_slides_is_one_change() -> None:
    pictures = [shot(4.0 * n, change=0.02) for n in range(20)]
    pictures[5] = shot(20.0, change=5.0)
    pictures[6] = shot(24.0, change=0.1)
    pictures[7] = shot(26.0, change=5.0)
    assert [slide.at_s for slide in find_slides(pictures)] == [26.0]


@given(st.floats(0, 1e5))
def test_the_name_of_a_candidate_tells_its_time(at_s: float) -> None:
    found = read_poster_time(name_poster(at_s))
    assert found is not None
    assert abs(found - at_s) <= 0.0006


def test_other_names_have_no_time() -> None:
    assert read_poster_time("poster.jpg") is None
    assert read_poster_time("poster-1.jpg.exe") is None

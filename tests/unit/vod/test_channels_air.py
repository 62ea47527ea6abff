"""The playlist of a channel: what players were told never changes, whatever the grid does."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.hls import ByteRange, MediaPlaylist, parse_media_playlist, render_media_playlist
from kernel.timing import TICKS_PER_S
from vod.channels.air import (
    AUDIO,
    LEAD,
    MARGIN,
    SHORT_WINDOW,
    TARGET_S,
    build_playlist,
    to_moment,
    to_ticks,
)
from vod.channels.plan import EARLY, GRACE, Airing, Grid, Run, extend
from vod.channels.track import Media, Track

S = TICKS_PER_S
T0 = to_ticks(to_moment(1_790_000_000 * S))
WINDOW = 60 * S
SLACK = 12 * S
COMMIT = LEAD + MARGIN + 20 * S


def make_track(name: str, durations: list[int], height_px: int = 0) -> Track:
    bounds = [0]
    for ticks in durations:
        bounds.append(bounds[-1] + ticks)
    ranges = tuple(ByteRange(100, 1000 + 100 * i) for i in range(len(durations)))
    return Track(name, height_px, ByteRange(1000, 0), tuple(bounds), ranges)


def make_media(
    name: str, durations: list[int], *, rungs: tuple[int, ...] = (360,), has_audio: bool = True
) -> Media:
    """Sound in frames of 1920 ticks, so that its grid is another one."""
    total, sound = sum(durations), []
    while sum(sound) < total:
        sound.append(min(187 * 1920, -(-(total - sum(sound)) // 1920) * 1920))
    return Media(
        name,
        f"{name}/hash",
        tuple(make_track(f"{px}p", durations, px) for px in rungs),
        make_track("audio", sound if rungs else durations) if has_audio else None,
    )


def lasting(name: str, seconds: int, **shape: object) -> Media:
    return make_media(name, [4 * S] * (seconds // 4) + [S] * (seconds % 4), **shape)  # type: ignore[arg-type]


def at(seconds: int, media: Media | None, key: str = "") -> Airing:
    lecture_id = media.lecture_id if media else "gone"
    return Airing(key or f"{lecture_id}@{seconds}", T0 + seconds * S, lecture_id, media)


@dataclass
class Channel:
    """A log as the database keeps it; ``poll`` extends it as a vod would."""

    grid: Grid
    runs: list[Run] = field(default_factory=list)
    media: dict[str, Media] = field(default_factory=dict)

    def poll(self, now: int, name: str = "720p", window: int = WINDOW) -> MediaPlaylist:
        for airing in self.grid.airings:
            if airing.media:
                self.media[airing.media.folder] = airing.media
        if self.grid.filler:
            self.media[self.grid.filler.folder] = self.grid.filler
        if not self.runs or self.runs[-1].end < now + LEAD + MARGIN:
            tail = self.runs[-1] if self.runs else None
            new = extend(
                tail, self.grid, media=self.media, anchor=now - window - SLACK, until=now + COMMIT
            )
            if tail and new and new[0].number == tail.number:
                self.runs.pop()
            self.runs += new
        since = [run for run in self.runs if run.end > now - window - SLACK]
        made = build_playlist(since, self.media, name=name, now=now, window=window)
        return parse_media_playlist(render_media_playlist(made))


def show(playlist: MediaPlaylist) -> list[tuple[int, int, str, object]]:
    """(number, discontinuity, address, range) of each segment."""
    discontinuity, out = playlist.discontinuity_sequence or 0, []
    for index, segment in enumerate(playlist.segments):
        discontinuity += segment.is_discontinuity
        number = playlist.media_sequence + index
        out.append((number, discontinuity, segment.uri, segment.byte_range))
    return out


durations = st.lists(st.integers(S // 2, 6 * S), min_size=1, max_size=12) | st.integers(1, 20).map(
    lambda count: [4 * S] * count
)
shapes = st.sampled_from([((360,), True), ((1080, 360), True), ((720,), False), ((), True)])
medias = st.builds(
    lambda name, ticks, shape: make_media(name, ticks, rungs=shape[0], has_audio=shape[1]),
    st.uuids().map(lambda u: f"m{u.hex[:8]}"), durations, shapes,
)  # fmt: skip
airings = st.builds(at, st.integers(-60, 400), st.none() | medias)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    found = draw(st.lists(airings, max_size=6, unique_by=lambda a: a.start))
    return Grid(tuple(sorted(found, key=lambda a: a.start)), draw(st.none() | medias))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.none() | grids()), min_size=1, max_size=25), grids()
)
def test_what_was_announced_never_changes_whatever_is_edited(
    steps: list[tuple[int, Grid | None]], grid: Grid
) -> None:
    """Players of all variants poll while the grid is replaced at any moment."""
    channel, now = Channel(grid), T0
    seen: dict[str, dict[int, tuple[int, int, str, object]]] = {"720p": {}, "240p": {}, AUDIO: {}}
    last: dict[str, tuple[int, int, int]] = {}
    for seconds, edited in steps:
        now += seconds * S
        channel.grid = edited or channel.grid
        for name, known in seen.items():
            playlist = channel.poll(now, name)
            rows = show(playlist)
            for row in rows:
                assert known.setdefault(row[0], row) == row
            heads = (playlist.media_sequence, playlist.discontinuity_sequence or 0, rows[-1][0])
            assert all(a <= b for a, b in zip(last.get(name, (0, 0, 0)), heads, strict=True))
            last[name] = heads
            _check_form(playlist, now)


def _check_form(playlist: MediaPlaylist, now: int) -> None:
    """RFC 8216 §6.2.2 and §4.4.3.1, and that the end is where the clock says."""
    assert playlist.target_duration_s == TARGET_S
    assert not playlist.is_ended
    assert playlist.segments[0].init is not None
    assert all(0 < s.duration_ticks < (TARGET_S + 0.5) * S for s in playlist.segments)
    total = sum(s.duration_ticks for s in playlist.segments)
    assert total >= 3 * TARGET_S * S
    assert all(s.init is not None for s in playlist.segments if s.is_discontinuity)
    moment, end = None, 0
    for segment in playlist.segments:
        if segment.program_date_time:
            moment = to_ticks(segment.program_date_time)
        assert moment is not None
        moment += segment.duration_ticks
        end = max(end, moment)
    assert now + LEAD - 7 * S < end <= now + LEAD + S // 100


@settings(max_examples=20, deadline=None)
@given(grids(), st.integers(0, 300))
def test_video_has_no_gaps_and_both_tracks_change_together(grid: Grid, seconds: int) -> None:
    channel = Channel(grid)
    for step in range(0, seconds + 1, 20):
        channel.poll(T0 + step * S)
    for before, after in zip(channel.runs, channel.runs[1:], strict=False):
        assert after.start == before.end
        assert after.number == before.number + 1
        assert after.msn == before.msn + before.count
        assert after.audio_msn == before.audio_msn + before.audio_count
    for run in channel.runs:
        assert run.audio_count >= 1 if run.end - run.start > 6 * S else run.audio_count >= 0


def test_items_follow_without_a_gap_and_begin_on_time() -> None:
    first, second, third = lasting("a", 61), lasting("b", 60), lasting("c", 40)
    channel = Channel(Grid((at(0, first), at(61, second), at(100, third))))
    for step in range(0, 150, 5):
        channel.poll(T0 + step * S)
    items = [run for run in channel.runs if run.kind == "item"]
    assert [run.lecture_id for run in items] == ["a", "b", "c"]
    assert [run.first for run in items] == [0, 0, 0]
    assert items[0].end == items[1].start == T0 + 61 * S
    # The second has 20 s too many: it is cut at the first end of a segment after the third's start.
    assert 0 <= items[2].start - (T0 + 100 * S) < 6 * S
    assert items[1].count < second.count


def test_a_little_that_is_left_is_played_to_its_end() -> None:
    channel = Channel(Grid((at(0, lasting("a", 64)), at(58, lasting("b", 40)))))
    for step in range(0, 110, 5):
        channel.poll(T0 + step * S)
    first, second = (run for run in channel.runs if run.kind == "item")
    assert first.count == 16
    assert second.start == first.end <= T0 + 58 * S + GRACE + EARLY + 6 * S


def test_whoever_comes_late_joins_in_the_middle_at_the_same_second() -> None:
    """One channel was watched from the start, of the other nobody had heard for seven minutes."""
    grid = Grid((at(0, lasting("a", 1200)),))
    watched, fresh = Channel(grid), Channel(grid)
    for step in range(0, 421, 15):
        watched.poll(T0 + step * S)
    for channel in (watched, fresh):
        playlist = channel.poll(T0 + 420 * S)
        segment = playlist.segments[-1]
        assert segment.byte_range is not None
        index = ((segment.byte_range.offset_bytes or 0) - 1000) // 100
        assert abs((index + 1) * 4 - (420 + LEAD // S)) <= 4


def test_gaps_show_the_filler_over_and_over_or_a_pause_that_ends_on_time() -> None:
    grid = Grid((at(0, lasting("a", 20)), at(63, lasting("b", 400))))
    channel = Channel(grid)
    for step in range(0, 100, 5):
        channel.poll(T0 + step * S)
    pause = next(run for run in channel.runs if run.kind == "pause" and run.start > T0)
    assert (pause.start, pause.end) == (T0 + 20 * S, T0 + 63 * S)
    filled = Channel(Grid(grid.airings, lasting("f", 12)))
    for step in range(0, 100, 5):
        filled.poll(T0 + step * S)
    kinds = [(run.kind, run.lecture_id) for run in filled.runs if run.start >= T0]
    # Seven seconds are too few to begin it once more.
    assert kinds[:5] == [("item", "a"), *[("filler", "f")] * 3, ("pause", "")]
    assert next(r for r in filled.runs if r.lecture_id == "b").start - (T0 + 63 * S) < 6 * S


def test_a_lecture_that_is_replaced_or_deleted_on_air_breaks_nobody() -> None:
    old, new = lasting("a", 120), make_media("a", [5 * S] * 60)
    new = Media("a", "a/newer", new.video, new.audio)
    channel = Channel(Grid((at(0, old, "k"),)))
    channel.poll(T0 + 30 * S)
    channel.grid = Grid((at(0, new, "k"),))
    for step in range(30, 200, 10):
        channel.poll(T0 + step * S)
    items = [run for run in channel.runs if run.kind == "item"]
    assert [run.folder for run in items] == ["a/hash"]  # To its end, and not again.
    deleted = Channel(Grid((at(0, old, "k"),)))
    deleted.poll(T0 + 30 * S)
    end = deleted.runs[-1].end
    deleted.grid = Grid((at(0, None, "k"),))
    deleted.poll(T0 + 90 * S)
    assert next(run for run in deleted.runs if run.start == end).kind == "pause"


def test_a_channel_without_seeking_has_a_short_playlist() -> None:
    playlist = Channel(Grid((at(0, lasting("a", 1200)),))).poll(T0 + 500 * S, window=SHORT_WINDOW)
    total = sum(segment.duration_ticks for segment in playlist.segments)
    assert 3 * TARGET_S * S <= total <= SHORT_WINDOW + LEAD + 6 * S


def test_what_an_asset_lacks_is_black_or_silent() -> None:
    mute, sound = lasting("m", 60, has_audio=False), lasting("s", 60, rungs=())
    channel = Channel(Grid((at(-100, mute), at(-40, sound))))
    now = T0 - 70 * S  # Nothing of the next one is announced yet.
    assert channel.poll(now, AUDIO).segments[-1].uri.startswith("quiet/")
    assert channel.poll(now, "720p").segments[-1].uri == "assets/m/hash/360p.mp4"
    assert channel.poll(T0 - 20 * S, "720p").segments[-1].uri.startswith("black/")
    assert channel.poll(T0 - 20 * S, AUDIO).segments[-1].uri == "assets/s/hash/audio.mp4"

from __future__ import annotations

import itertools

from streamer.whep.clock import ViewerClock, compress_backlog
from streamer.whip.clock import ORIGIN_TICKS, SyncClock
from streamer.whip.feedback import BitrateAdvice, KeyframePolicy, Reception


def run_encoder(policy: KeyframePolicy, *, gop_s: float | None, seconds: float) -> list[float]:
    """An encoder that answers every PLI after 50 ms and has a GOP of its own."""
    plis, keys = [], [0.0]
    policy.on_keyframe(0.0)
    pending: float | None = None
    for tick in range(1, int(seconds * 10)):
        now_s = tick / 10
        if pending is not None and now_s >= pending:
            policy.on_keyframe(now_s)
            keys.append(now_s)
            pending = None
        elif gop_s is not None and now_s - keys[-1] >= gop_s - 1e-9:
            policy.on_keyframe(now_s)
            keys.append(now_s)
        if policy.should_send(now_s, wants_keyframe=False):
            plis.append(now_s)
            pending = now_s + 0.05
    assert max(later - earlier for earlier, later in itertools.pairwise(keys)) <= 2.8
    return plis


def test_an_encoder_without_gop_is_asked_every_two_seconds() -> None:
    plis = run_encoder(KeyframePolicy(), gop_s=None, seconds=30)
    assert 12 <= len(plis) <= 15


def test_an_encoder_that_keeps_two_seconds_is_left_alone() -> None:
    policy = KeyframePolicy()
    assert run_encoder(policy, gop_s=2.0, seconds=30) == []
    assert policy.keeps_gop


def test_a_loss_asks_at_once_but_at_most_twice_a_second() -> None:
    policy = KeyframePolicy()
    times = [t / 100 for t in range(200) if policy.should_send(t / 100, wants_keyframe=True)]
    assert times == [0.0, 0.5, 1.0, 1.5]


def test_a_request_is_passed_on_once() -> None:
    policy = KeyframePolicy()
    policy.request()
    assert policy.should_send(0.0, wants_keyframe=False)
    policy.on_keyframe(0.1)
    assert not policy.should_send(1.0, wants_keyframe=False)


def test_the_advice_stays_at_the_ceiling_on_a_jittery_local_path() -> None:
    advice = BitrateAdvice(6_000_000)
    advice.update(0.0)
    for number in range(3000):
        send_s = number * 0.004
        jitter_s = 0.15 if number % 50 < 10 else 0.0
        advice.on_packet(int(send_s * (1 << 18)) % (1 << 24), 1200, send_s + jitter_s)
        if number % 250 == 249:
            assert advice.update(send_s) == 6_000_000


def test_the_advice_goes_down_under_a_standing_queue_and_recovers() -> None:
    advice = BitrateAdvice(6_000_000)
    advice.update(0.0)
    rates = []
    for number in range(2500):
        send_s = number * 0.004
        queue_s = min(2.0, send_s * 0.4) if send_s < 6 else 0.0
        advice.on_packet(int(send_s * (1 << 18)) % (1 << 24), 500, send_s + queue_s)
        if number % 250 == 249:
            rates.append(advice.update(send_s))
    assert min(rates) < 1_100_000
    assert rates[-1] > min(rates)


def test_reports_count_losses_of_the_interval() -> None:
    reception = Reception(90_000)
    for seq in range(65_500, 65_600):
        if seq % 4:
            reception.on_packet(seq % 65_536, seq * 300, seq / 300)
    report = reception.take_report(1.0)
    assert 60 <= report["fraction_lost"] <= 68
    assert report["packets_lost"] == 24
    assert report["highest_sequence"] == 65_599
    assert reception.take_report(2.0)["fraction_lost"] == 0


def test_reports_echo_the_sender_report() -> None:
    reception = Reception(48_000)
    reception.on_packet(1, 0, 0.0)
    reception.on_report(0x0001_0002_0003_0004, 5.0)
    report = reception.take_report(5.5)
    assert (report["lsr"], report["dlsr"]) == (0x0002_0003, 32_768)


# ---- clocks ------------------------------------------------------------------------------------


def ntp(seconds: float) -> int:
    return int((3_900_000_000 + seconds) * (1 << 32))


def test_without_sender_reports_tracks_are_aligned_by_arrival() -> None:
    clock = SyncClock()
    assert clock.map("video", 5_000, 10.0) == ORIGIN_TICKS
    assert clock.map("audio", 77, 10.5) == ORIGIN_TICKS + 45_000
    assert clock.map("video", 5_000 + 90_000, 11.2) == ORIGIN_TICKS + 90_000


def test_sender_reports_move_the_sound_to_where_it_was_made() -> None:
    clock = SyncClock()
    clock.map("video", 1_000, 10.0)
    clock.map("audio", 500, 10.3)
    # Both were captured at the same moment; the sound arrived 0.3 s late.
    clock.report("video", ntp(1.0), 1_000)
    clock.report("audio", ntp(1.0), 500)
    assert clock.map("audio", 500 + 960, 10.32) == ORIGIN_TICKS + 1_800
    assert clock.map("video", 4_000, 10.04) == ORIGIN_TICKS + 3_000


def test_later_corrections_are_slow_and_never_step_back() -> None:
    clock = SyncClock()
    clock.map("video", 0, 0.0)
    clock.map("audio", 0, 0.0)
    clock.report("video", ntp(0), 0)
    clock.report("audio", ntp(0), 0)
    previous = clock.map("audio", 960, 0.02)
    clock.report("audio", ntp(0.5), 48_000)  # Says that the sound is half a second ahead.
    for index in range(2, 3_000):
        ticks = clock.map("audio", index * 960, index * 0.02)
        assert 0 < ticks - previous <= 1_800 + 20
        previous = ticks
    assert abs(previous - (ORIGIN_TICKS + 2_999 * 1_800 - 45_000)) < 30_000


def test_nonsense_reports_are_ignored() -> None:
    clock = SyncClock()
    clock.report("video", ntp(0), 0)
    clock.map("video", 0, 0.0)
    clock.map("audio", 0, 0.0)
    clock.report("video", 0, 0)
    clock.report("video", ntp(0), 0)
    clock.report("audio", ntp(500), 0)
    assert clock.map("audio", 960, 0.02) == ORIGIN_TICKS + 1_800


def test_a_jump_of_the_time_stamps_is_placed_by_arrival() -> None:
    clock = SyncClock()
    clock.map("video", 0, 0.0)
    clock.map("video", 3_000, 0.03)
    assert clock.map("video", 2_000_000_000, 1.0) == ORIGIN_TICKS + 90_000
    assert clock.map("video", 2_000_003_000, 1.03) == ORIGIN_TICKS + 93_000


def test_viewers_ticks_go_on_over_a_change_of_publisher() -> None:
    clock = ViewerClock()
    first = clock.map(1_000_000, 0.0)
    second = clock.map(1_003_000, 0.03)
    assert second - first == 3_000
    clock.restart()
    third = clock.map(5, 10.03)
    assert 890_000 < third - second < 910_000
    assert clock.map(5 - 1_800, 10.03) == third - 1_800  # The other track moves along.


def test_a_backlog_is_squeezed_to_end_at_the_live_edge() -> None:
    ticks = compress_backlog(1_000, 3)
    assert ticks == [820, 910, 1_000]

"""Any samples: the fragment is whole boxes and says what was put in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.fmp4 import Sample, TrackRun, build_fragment
from tests.unit.streamer.packager.world import iter_boxes, read_runs

samples = st.builds(
    Sample,
    data=st.binary(min_size=1, max_size=20),
    duration_ticks=st.integers(1, 2**31),
    offset_ticks=st.integers(-(2**31), 2**31 - 1),
    is_sync=st.booleans(),
)
runs = st.builds(
    TrackRun, st.integers(1, 100), st.integers(0, 2**60), st.lists(samples, min_size=1, max_size=6)
)


@given(st.integers(0, 2**40), st.lists(runs, min_size=1, max_size=3))
def test_fragments_say_what_was_put_in(sequence, written):
    data = build_fragment(sequence, written)
    (_, moof), (_, media) = iter_boxes(data)
    assert media == b"".join(sample.data for run in written for sample in run.samples)
    assert moof
    for run, read in zip(written, read_runs(data), strict=True):
        assert (read.track, read.decode) == (run.track_id, run.decode_ticks)
        assert read.durations == [sample.duration_ticks for sample in run.samples]
        assert read.offsets == [sample.offset_ticks for sample in run.samples]
        assert read.syncs == [sample.is_sync for sample in run.samples]
        assert read.sizes == [len(sample.data) for sample in run.samples]

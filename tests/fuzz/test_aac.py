"""Any bytes: a config within bounds, or our error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.aac import parse_asc
from kernel.errors import BitstreamError


@given(st.binary(max_size=80))
def test_parse_asc_is_total(data):
    try:
        config = parse_asc(data)
    except BitstreamError:
        return
    assert 1 <= config.channels_count <= 8
    assert 7_350 <= config.sample_rate_hz <= 96_000

"""Streamer's numbers for Prometheus, read from the broadcasts when somebody asks.

Broadcasts count for themselves and go after an hour; the process's counters must not go down with
them, so what each had at the last scrape is remembered and only the growth is added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kernel.timing import to_seconds
from streamer.broadcast.broadcast import Broadcast
from streamer.broadcast.registry import BroadcastRegistry
from streamer.broadcast.state import BroadcastState
from streamer.live import Viewers
from streamer.recorder.writer import SpoolWriter

_Key = tuple[str, str]
"""Name of a counter and the value of its label."""

COUNTERS: Final[tuple[_Key, ...]] = (
    ("ingest_bytes", "rtmp"),
    ("ingest_bytes", "whip"),
    ("parts", ""),
    ("segments", "kept"),
    ("segments", "gap"),
    ("dropped", "ingest"),
    ("dropped", "packager"),
    ("dropped", "whep"),
    ("upload_failures", ""),
)
"""All of them, so that each is there with 0 before anything has happened."""


class StreamerCollector(Collector):
    """All of one process. Runs on: the loop."""

    def __init__(self, registry: BroadcastRegistry, viewers: Viewers, writer: SpoolWriter) -> None:
        self._registry = registry
        self._viewers = viewers
        self._writer = writer
        self._totals: Counter[_Key] = Counter()
        self._seen: dict[int, Counter[_Key]] = {}

    def collect(self) -> Iterable[Metric]:
        broadcasts = self._registry.broadcasts
        self._add_growth(broadcasts)
        yield from self._collect_counters()
        yield from self._collect_audience(broadcasts)
        yield from self._collect_recording(broadcasts)

    def _add_growth(self, broadcasts: list[Broadcast]) -> None:
        seen: dict[int, Counter[_Key]] = {}
        for broadcast in broadcasts:
            now = read_counts(broadcast)
            self._totals.update(now - self._seen.get(id(broadcast), Counter()))
            seen[id(broadcast)] = now
        self._seen = seen

    def _collect_counters(self) -> Iterator[Metric]:
        families = {
            "ingest_bytes": CounterMetricFamily(
                "hall_ingest_bytes", "Media accepted from publishers", labels=["protocol"]
            ),
            "parts": CounterMetricFamily("hall_parts", "Parts published", labels=[]),
            "segments": CounterMetricFamily(
                "hall_segments", "Segments published; a gap has lost its media", labels=["kind"]
            ),
            "dropped": CounterMetricFamily(
                "hall_dropped_units", "Media units dropped, by queue", labels=["queue"]
            ),
            "upload_failures": CounterMetricFamily(
                "hall_upload_failures", "Uploads that have to be tried again", labels=[]
            ),
        }
        for name, label in COUNTERS:
            families[name].add_metric([label] if label else [], self._totals[name, label])
        yield from families.values()
        yield CounterMetricFamily(
            "hall_spool_refused", "Writes refused: queue full", self._writer.refused_count
        )

    def _collect_audience(self, broadcasts: list[Broadcast]) -> Iterator[Metric]:
        states = GaugeMetricFamily("hall_broadcasts", "Broadcasts at hand", labels=["state"])
        for state in BroadcastState:
            states.add_metric([state.value], sum(item.state is state for item in broadcasts))
        yield states
        watching = GaugeMetricFamily("hall_live_viewers", "Viewers now", labels=["protocol"])
        hls_count = sum(self._viewers.count(item.broadcast_id) for item in broadcasts)
        watching.add_metric(["hls"], hls_count)
        watching.add_metric(["whep"], sum(item.fanout.subscriptions_count for item in broadcasts))
        yield watching

    def _collect_recording(self, broadcasts: list[Broadcast]) -> Iterator[Metric]:
        uploaders = [item.uploader for item in broadcasts if item.uploader is not None]
        lag_ticks = max((item.lag_ticks for item in uploaders), default=0)
        gauges = {
            "hall_storage_lag_seconds": (
                "Longest closed media of one broadcast that is not in the blob store",
                to_seconds(lag_ticks),
            ),
            "hall_spool_bytes": (
                "Segments whose only or quickest copy is in the spool",
                sum(item.spooled_bytes for item in uploaders),
            ),
            "hall_spool_queue_bytes": ("Media waiting for the disk", self._writer.queued_bytes),
            "hall_spool_free_bytes": ("Room on the spool's disk", self._writer.free_bytes),
            "hall_recording_paused": ("1 while the disk is full", int(self._writer.is_full)),
            "hall_events_waiting": (
                "Events that vod has not taken yet",
                sum(item.outbox.waiting_count for item in broadcasts),
            ),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(name, text, value)


def read_counts(broadcast: Broadcast) -> Counter[_Key]:
    """What one broadcast has counted since it came to hand."""
    tally, uploader = broadcast.tally, broadcast.uploader
    return Counter(
        {
            ("ingest_bytes", "rtmp"): tally.rtmp_bytes,
            ("ingest_bytes", "whip"): tally.whip_bytes,
            ("parts", ""): tally.parts_count,
            ("segments", "kept"): tally.segments_count,
            ("segments", "gap"): tally.gaps_count,
            ("dropped", "ingest"): tally.lost_count,
            ("dropped", "packager"): broadcast.packager.dropped_count,
            ("dropped", "whep"): broadcast.fanout.dropped_count,
            ("upload_failures", ""): uploader.failures_count if uploader is not None else 0,
        }
    )

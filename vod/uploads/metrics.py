"""What Prometheus hears of uploads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class UploadMetrics:
    """Counters of one vod."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.receiving = Gauge(
            "hall_vod_uploads_receiving", "Connections that send a file now", registry=registry
        )
        self.stored_bytes = Counter(
            "hall_vod_upload_stored_bytes", "Bytes stored for good, by body", registry=registry
        )
        self.bodies = Counter(
            "hall_vod_upload_bodies",
            "Bodies by how they ended",
            ["outcome"],
            registry=registry,
        )

"""Pages of several services become one valid page."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hall.metrics import merge_pages


def _page(service: str) -> str:
    registry = CollectorRegistry()
    Gauge("hall_lag", "Lag", registry=registry).set(1.5)
    counter = Counter("hall_things", "Things", ["kind"], registry=registry)
    counter.labels(f"of {service}").inc(3)
    if service == "vod":
        Histogram("hall_took", "Took", buckets=(1.0,), registry=registry).observe(0.5)
    return generate_latest(registry).decode()


def test_same_family_of_two_services_is_one_family_with_two_labels() -> None:
    merged = {item.name: item for item in merge_pages({n: _page(n) for n in ("vod", "streamer")})}
    lag = merged["hall_lag"]
    assert {(item.labels["service"], item.value) for item in lag.samples} == {
        ("vod", 1.5),
        ("streamer", 1.5),
    }
    totals = [item for item in merged["hall_things"].samples if item.name == "hall_things_total"]
    assert {(item.labels["service"], item.labels["kind"]) for item in totals} == {
        ("vod", "of vod"),
        ("streamer", "of streamer"),
    }
    assert merged["hall_things"].type == "counter"
    assert {item.labels["service"] for item in merged["hall_took"].samples} == {"vod"}


def test_service_without_an_answer_leaves_the_others() -> None:
    merged = merge_pages({"vod": None, "streamer": _page("streamer")})
    services = {item.labels["service"] for family in merged for item in family.samples}
    assert services == {"streamer"}
    assert merge_pages({"vod": None}) == []

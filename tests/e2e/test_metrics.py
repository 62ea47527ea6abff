"""One page for Prometheus: every service of a running hall, with numbers that move."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.hall import Hall
from tests.support.ports import find_free_port
from tests.support.publisher import publish
from tests.support.shared_hall import SharedHall
from tests.support.waiting import eventually

pytestmark = [pytest.mark.timeout(180)]


class Page:
    """What a scrape found."""

    def __init__(self, text: str) -> None:
        self.types = Counter(
            line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")
        )
        self.samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float | None:
        """The sum over the samples that have these labels; ``None`` when there is none."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None


@pytest.fixture(scope="module")
def measured_halls(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[SharedHall, str]]:
    bind = f"127.0.0.1:{find_free_port()}"
    shared = SharedHall(tmp_path_factory.mktemp("measured"), env={"HALL_METRICS_BIND": bind})
    yield shared, f"http://{bind}/metrics"
    shared.close_blocking()


@pytest.fixture
async def measured(measured_halls: tuple[SharedHall, str]) -> AsyncIterator[tuple[Hall, str]]:
    """A hall whose numbers are those of this module's classes."""
    shared, url = measured_halls
    async with shared.lend() as hall:
        yield hall, url


async def _scrape(url: str) -> Page:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain")
        return Page(await response.text())


async def test_teaching_and_watching_show_on_the_page(measured: tuple[Hall, str]) -> None:
    hall, url = measured
    admin = await hall.admin()
    made = await admin.make_class()
    quiet = await _scrape(url)
    assert quiet.value("hall_service_up", service="vod") == 1
    assert quiet.value("hall_service_up", service="streamer") == 1
    for child in ("valkey", "vod", "streamer", "worker-1", "gate"):
        assert quiet.value("hall_child_running", child=child) == 1, child
    assert quiet.value("hall_outbox_messages", service="vod") == 0
    assert quiet.value("hall_live_viewers", protocol="hls") == 0
    assert not quiet.value("hall_ingest_bytes_total")

    async with publish(f"{hall.rtmp}/{made['publish']['stream_key']}"):
        live = await admin.wait_for_state(made["id"], "live")

        async def has_moved() -> Page | None:
            await hall.api().fetch(live["playback"]["hls_url"].replace("index", "av"))
            page = await _scrape(url)
            return page if (page.value("hall_segments_total", kind="kept") or 0) >= 2 else None

        page = await eventually(has_moved, timeout_s=30)
    assert page.value("hall_broadcasts", state="live") == 1
    assert page.value("hall_live_viewers", protocol="hls", service="streamer") == 1
    assert (page.value("hall_ingest_bytes_total", protocol="rtmp") or 0) > 50_000
    assert (page.value("hall_parts_total") or 0) >= 6
    assert (page.value("hall_spool_bytes") or 0) > 10_000
    assert page.value("hall_upload_failures_total") == 0
    assert page.value("hall_dropped_units_total", queue="packager") is not None
    assert page.value("hall_storage_lag_seconds") is not None
    assert (page.value("hall_vod_request_seconds_count", service="vod") or 0) > 0
    lags = {s.labels["service"] for s in page.samples if s.name == "hall_loop_lag_seconds"}
    assert lags == {"vod", "streamer"}
    assert max(page.types.values()) == 1, "a family twice is no valid page"

    await admin.post(f"/live-classes/{made['id']}/end")

    async def all_done() -> bool:
        now = await _scrape(url)
        done = now.value("hall_units", state="done") or 0
        return done >= 4 and done == now.value("hall_units")

    await eventually(all_done, timeout_s=90, message="units are not counted as done")


async def test_service_that_dies_is_on_the_page(measured: tuple[Hall, str]) -> None:
    hall, url = measured
    killed = hall.child("streamer")
    killed.suspend()  # It hangs: its socket is there and nobody answers.
    page = await _scrape(url)
    assert page.value("hall_service_up", service="streamer") == 0
    assert page.value("hall_service_up", service="vod") == 1
    killed.kill()
    await eventually(lambda: hall.is_back("streamer", killed), timeout_s=20)

    async def is_up_again() -> bool:
        now = await _scrape(url)
        is_up = now.value("hall_service_up", service="streamer") == 1
        return is_up and now.value("hall_child_starts_total", child="streamer") == 2

    await eventually(is_up_again, timeout_s=30)
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/internal/ready", "/metrics/x"):
            async with session.get(url.removesuffix("/metrics") + path) as response:
                assert response.status == 404, path
        async with session.get(hall.origin + "/metrics") as response:
            assert response.status == 404, "never through the gate"

"""The crowd: thousands of LL-HLS viewers in one process, as cheap as Python allows.

    python -m tests.bench.crowd < plan.json      (a JSON line per measured size on standard output)

A viewer is a connection and a session of its own. It holds a blocking reload with
``_HLS_skip=YES`` and, once answered, fetches the part that it asked for. Requests are formatted
beforehand, bodies are counted, not read; only the first answer that lists a part is decoded, by
one viewer for all: it says which part comes next. Lateness is judged afterwards, by ``judge``.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field

from tests.support.waiting import eventually

PART_TAG = re.compile(
    rb'#EXT-X-PART:DURATION=([0-9.]+),URI="([0-9]+)/av/([0-9]+)\.([0-9]+)\.m4s"'
    rb'|#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([0-9]+)/av/([0-9]+)\.([0-9]+)\.m4s"'
)
LENGTH = re.compile(rb"\r\nContent-Length: ([0-9]+)", re.IGNORECASE)
JOINS_PER_S = 100  # A class fills over seconds; every newcomer fetches the whole playlist.
SETTLE_S = 4.0
BUFFER_BYTES = 512 * 1024
JOIN_TIMEOUT_S = 60.0
MAX_FAILURES_KEPT = 5

Address = tuple[int, int, int]  # Epoch, media sequence number, part.


@dataclass(frozen=True)
class Plan:
    """What to do. ``sizes``: the first is tried first; then up while all is well, else down."""

    host: str
    port: int
    path: str
    tokens: list[str]
    sizes: list[int]
    first: int
    measured_s: float
    allowed_s: float


@dataclass(frozen=True)
class Verdict:
    """One size. Delivery: from when a part was due at the origin to its last byte here.

    Attributes:
        late_count: Complete more than ``allowed_s`` after they were due.
        missing_count: Deliveries that never came.
        edge_lag_s: The most that the very first sign of a part was behind the steady grid.
    """

    viewers: int
    parts: int
    deliveries: int
    late_count: int
    missing_count: int
    failures: list[str]
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float
    edge_lag_s: float
    megabits_per_s: float
    generator_cores: float

    @property
    def is_clean(self) -> bool:
        return not (self.late_count or self.missing_count or self.failures) and self.parts > 0


@dataclass
class Timeline:
    """What the crowd knows of the class, shared by all viewers."""

    after: dict[Address, Address] = field(default_factory=dict)
    duration_s: dict[Address, float] = field(default_factory=dict)
    listed_at: dict[Address, float] = field(default_factory=dict)
    done: dict[Address, list[float]] = field(default_factory=dict)
    hint: Address | None = None

    def learn(self, text: bytes) -> None:
        """Take the parts and the hint of a playlist in."""
        last: Address | None = None
        for found in PART_TAG.finditer(text):
            is_part = found[1] is not None
            address = (
                (int(found[2]), int(found[3]), int(found[4]))
                if is_part
                else (int(found[5]), int(found[6]), int(found[7]))
            )
            if is_part:
                self.duration_s[address] = float(found[1])
            if last is not None:
                self.after[last] = address
            last = address
        if last is not None and (self.hint is None or last > self.hint):
            self.hint = last


class Crowd:
    """All viewers of one class."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.timeline = Timeline()
        self.viewers: list[Viewer] = []
        self.failures: list[str] = []
        self.received_bytes = 0
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)

    async def resize(self, size: int) -> None:
        """Let viewers join, 100 a second, or leave."""
        while len(self.viewers) > size:
            self.viewers.pop().leave()
        loop = asyncio.get_running_loop()
        while len(self.viewers) < size:
            viewer = Viewer(self, self.plan.tokens[len(self.viewers)])
            self.viewers.append(viewer)
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                await loop.create_connection(lambda v=viewer: v, self.plan.host, self.plan.port)  # type: ignore[misc]
            await asyncio.sleep(1 / JOINS_PER_S)
        await eventually(
            lambda: self.failures or all(viewer.has_joined for viewer in self.viewers),
            timeout_s=JOIN_TIMEOUT_S,
        )

    async def measure(self) -> Verdict:
        """Watch for a while."""
        await asyncio.sleep(SETTLE_S)
        self.failures.clear()
        gc.collect()
        gc.freeze()
        started, cpu, received = time.monotonic(), time.process_time(), self.received_bytes
        await asyncio.sleep(self.plan.measured_s)
        ended = time.monotonic()
        cores = (time.process_time() - cpu) / (ended - started)
        rate = (self.received_bytes - received) * 8 / (ended - started) / 1e6
        await asyncio.sleep(self.plan.allowed_s + 0.5)  # The last parts' time is not over yet.
        return judge(
            self.timeline,
            window=(started, ended),
            viewers_count=len(self.viewers),
            allowed_s=self.plan.allowed_s,
            failures=self.failures,
            megabits_per_s=rate,
            generator_cores=cores,
        )

    def fail(self, reason: str) -> None:
        if len(self.failures) < MAX_FAILURES_KEPT:
            self.failures.append(reason)


class Viewer(asyncio.BufferedProtocol):
    """One connection: reload, part, reload, part."""

    def __init__(self, crowd: Crowd, token: str) -> None:
        self._crowd = crowd
        plan = crowd.plan
        self._start = f"GET {plan.path}/".encode()
        self._end = (
            f" HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nAccept: */*\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench\r\nAccept-Encoding: gzip\r\n"
            f"Cookie: hall_session={token}\r\n\r\n"
        ).encode()
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._left = 0
        self._body: bytearray | None = None
        self._address: Address | None = None
        self._is_part = False
        self.has_joined = False

    # ---- asyncio -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._body = bytearray() if self._crowd.timeline.hint is None else None
        transport.write(self._start + b"av.m3u8" + self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._crowd.fail(f"connection lost: {exc!r}")

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._crowd.buffer

    def buffer_updated(self, nbytes: int) -> None:
        crowd = self._crowd
        crowd.received_bytes += nbytes
        if self._left:
            self._left -= nbytes
            if self._body is not None:
                self._body += crowd.view[:nbytes]
            if not self._left:
                self._complete()
            return
        data = self._head + bytes(crowd.view[: min(nbytes, 4096)])
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._head = data
            return
        length = LENGTH.search(data, 0, end + 2)
        if data[9:12] != b"200" or length is None:
            self._refuse(data[: end + 4])
            return
        head_bytes = end + 4 - len(self._head)  # Of this read.
        self._head = b""
        self._left = int(length[1]) - (nbytes - head_bytes)
        if self._body is not None:
            self._body += crowd.view[head_bytes:nbytes]
        if not self._left:
            self._complete()

    def leave(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    # ---- what a viewer does ----------------------------------------------------------------------

    def _refuse(self, head: bytes) -> None:
        self._crowd.fail(f"{self._address}: {head[:200].decode(errors='replace')}")
        self.leave()

    def _complete(self) -> None:
        if self._transport is None:
            return
        timeline, now = self._crowd.timeline, time.monotonic()
        address = self._address
        if self._is_part:
            assert address is not None
            timeline.done.setdefault(address, []).append(now)
            self._is_part = False
            self._reload(timeline.after[address])
            return
        if self._body is not None:
            body, self._body = bytes(self._body), None
            timeline.learn(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        if address is None:
            if timeline.hint is None:
                self._crowd.fail("the playlist hints at no part")
                return
            self.has_joined = True
            self._reload(timeline.hint)
            return
        if address not in timeline.after:
            self._crowd.fail(f"{address} is not in the playlist that was answered for it")
            self.leave()
            return
        timeline.listed_at.setdefault(address, now)
        self._is_part = True
        part = b"%d/av/%d.%d.m4s" % address
        self._transport.write(self._start + part + self._end)

    def _reload(self, address: Address) -> None:
        assert self._transport is not None
        self._address = address
        self._body = None if address in self._crowd.timeline.after else bytearray()
        query = b"av.m3u8?_HLS_msn=%d&_HLS_part=%d&_HLS_skip=YES" % address[1:]
        self._transport.write(self._start + query + self._end)


def judge(
    timeline: Timeline,
    *,
    window: tuple[float, float],
    viewers_count: int,
    allowed_s: float,
    failures: list[str],
    megabits_per_s: float,
    generator_cores: float,
) -> Verdict:
    """Compare every delivery with when its part was due.

    Parts are due on the steady grid of lecture time through the earliest of their first signs, so
    that a server which is late for everybody alike is late, too.
    """
    addresses = sorted(timeline.listed_at)
    ends: list[float] = []
    lecture_s = 0.0
    for address in addresses:
        lecture_s += timeline.duration_s[address]
        ends.append(lecture_s)
    seen = [
        (address, end)
        for address, end in zip(addresses, ends, strict=True)
        if window[0] <= timeline.listed_at[address] < window[1] - allowed_s
    ]
    if not seen:
        raise AssertionError(
            f"no part came in {window[1] - window[0]:.0f} s of {viewers_count} viewers: {failures}"
        )
    anchor = min(timeline.listed_at[address] - end for address, end in seen)
    delays: list[float] = []
    missing_count = 0
    for address, end in seen:
        done = timeline.done.get(address, [])
        delays += [at - anchor - end for at in done]
        missing_count += max(0, viewers_count - len(done))
    delays.sort()
    return Verdict(
        viewers=viewers_count,
        parts=len(seen),
        deliveries=len(delays),
        late_count=sum(delay > allowed_s for delay in delays),
        missing_count=missing_count,
        failures=list(failures),
        p50_s=round(delays[len(delays) // 2], 4),
        p95_s=round(delays[len(delays) * 95 // 100], 4),
        p99_s=round(delays[len(delays) * 99 // 100], 4),
        max_s=round(delays[-1], 4),
        edge_lag_s=round(
            max(timeline.listed_at[address] - anchor - end for address, end in seen), 4
        ),
        megabits_per_s=round(megabits_per_s, 1),
        generator_cores=round(generator_cores, 3),
    )


async def run(plan: Plan) -> None:
    """Measure ``plan.first`` viewers, then more while all is well, else fewer until it is."""
    crowd = Crowd(plan)
    sizes, index, step = sorted(plan.sizes), sorted(plan.sizes).index(plan.first), 0
    while 0 <= index < len(sizes):
        size = sizes[index]
        sys.stderr.write(f"crowd: {size} viewers\n")
        await crowd.resize(size)
        _say({"measuring": size})
        verdict = await crowd.measure()
        _say(asdict(verdict))
        turn = 1 if verdict.is_clean else -1
        if step not in {0, turn}:
            break
        step = turn
        index += turn
        if verdict.failures:
            await crowd.resize(0)  # Some have left; the next size begins with whole ones.
        crowd.failures.clear()
    await crowd.resize(0)


def _say(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run(Plan(**json.load(sys.stdin))))

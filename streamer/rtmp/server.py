"""RTMP over TCP: the asyncio shell around ``RtmpSession``, and the server that accepts peers."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from types import TracebackType
from typing import Final, Self

import structlog

from kernel.errors import DependencyError, HallError
from kernel.messages import PublishRequest
from streamer.media import AudioConfig, AudioUnit, VideoConfig
from streamer.ports import EndReason, Publication, Publishing
from streamer.rtmp.flv import MediaItem
from streamer.rtmp.limits import DEFAULT_LIMITS, RtmpLimits
from streamer.rtmp.session import Phase, RtmpSession, SessionEnd

_LOG = structlog.get_logger("streamer.rtmp")
_S1_RANDOM_BYTES: Final = 1528


class RtmpConnection(asyncio.BufferedProtocol):
    """One peer. Implements ``IngestConnection`` and ``SessionEvents``.

    Runs on: the event loop. One preallocated read buffer; payload bytes are copied once into
    their message and once into the unit.
    """

    protocol = "rtmp"

    def __init__(self, server: RtmpServer) -> None:
        self._server = server
        self._limits = server.limits
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(self._limits.receive_bytes))
        self._session = RtmpSession(
            self,
            self._limits,
            random_bytes=os.urandom(_S1_RANDOM_BYTES),
            now_s=self._loop.time(),
        )
        self._opened_s = self._loop.time()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._admission: asyncio.Task[None] | None = None
        self._publication: Publication | None = None
        self._is_closing = False
        self.address = ""
        self.peer = "unknown"

    # -- asyncio -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream transport is needed, got {transport!r}")
        self._transport = transport
        peername = transport.get_extra_info("peername")
        if isinstance(peername, tuple):
            self.address = str(peername[0])
            self.peer = _format_peer(self.address, int(peername[1]))
        transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        refusal = self._server.register(self)
        if refusal:
            self._session.fail(EndReason.PROTOCOL_ERROR, refusal)
        self._settle()

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint  # The size of one read bounds the work of one loop turn.
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self._is_closing:
            self._session.receive(self._buffer[:nbytes], self._loop.time())
            self._settle()
            if nbytes < len(self._buffer) and self._session.phase is Phase.PUBLISHING:
                self._gather()

    def _gather(self) -> None:
        """Let a live publisher's next bytes pile up for ``gather_s``.

        Encoders write a header and a body at a time, some 200 pieces a second; waking up for each
        costs several times what reading them does. A read that fills the buffer does not wait.
        """
        if self._transport is not None and self._limits.gather_s > 0:
            self._transport.pause_reading()
            self._loop.call_later(self._limits.gather_s, self._transport.resume_reading)

    def eof_received(self) -> bool:
        return False  # Closes the transport; ``connection_lost`` says the rest.

    def connection_lost(self, exc: Exception | None) -> None:
        if self._admission is not None:
            self._admission.cancel()
        reason = EndReason.CONNECTION_LOST
        detail = "the peer hung up" if exc is None else str(exc) or type(exc).__name__
        self._session.fail(reason, detail)
        self._settle()
        if self._timer is not None:
            self._timer.cancel()
        self._server.forget(self)

    def pause_writing(self) -> None:
        """A peer that asks and never reads what we answer is not a publisher."""
        self._session.fail(EndReason.PROTOCOL_ERROR, "does not read our answers")
        self._close(linger=False)

    def resume_writing(self) -> None:
        """Nothing waits for it: a full buffer has ended the session."""

    # -- SessionEvents -------------------------------------------------------------------------

    def on_publish(self, key: str) -> None:
        if self._transport is not None:
            self._transport.pause_reading()
        self._admission = self._server.spawn(self._admit(key))

    def on_media(self, item: MediaItem) -> None:
        publication = self._publication
        if publication is None:
            return
        if isinstance(item, AudioUnit):
            publication.write_audio(item)
        elif isinstance(item, VideoConfig):
            publication.set_video_config(item)
        elif isinstance(item, AudioConfig):
            publication.set_audio_config(item)
        else:
            publication.write_video(item)

    def on_dropped(self, count: int) -> None:
        if self._publication is not None:
            self._publication.count_dropped(count)

    # -- IngestConnection ----------------------------------------------------------------------

    def evict(self, reason: EndReason) -> None:
        self._session.evict(reason)
        self._settle()

    def request_keyframe(self) -> None:
        """RTMP has no way to ask; the encoder's own interval decides."""

    # -- Making room ---------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Whether it has not asked to publish yet."""
        return not self._is_closing and self._session.phase in {Phase.HANDSHAKE, Phase.COMMANDS}

    def make_way(self, detail: str) -> None:
        """Close at once, without last words: the socket is needed."""
        self._session.fail(EndReason.PROTOCOL_ERROR, detail)
        self._close(linger=False)

    # -- Admission -----------------------------------------------------------------------------

    async def _admit(self, key: str) -> None:
        """Ask for admission while reading is paused; the only await of a connection."""
        request = PublishRequest(protocol="rtmp", credential=key, peer=self.peer)
        publication: Publication | None = None
        try:
            async with asyncio.timeout(self._limits.admit_s):
                publication = await self._server.publishing.admit(request, self)
        except HallError as error:
            self._session.refuse(error)
        except TimeoutError:
            self._session.refuse(DependencyError("The stream key could not be checked in time."))
        except Exception:  # noqa: BLE001 - the life-cycle supervisor of admission
            # Life-cycle supervisor: a defect behind the port must not leave a peer hanging.
            _LOG.exception("rtmp_admission_failed", peer=self.peer)
            self._session.refuse(DependencyError("The server made a mistake; please try again."))
        self._admission = None
        if publication is not None:
            self._start(publication)
        self._settle()

    def _start(self, publication: Publication) -> None:
        self._publication = publication
        if self._session.end is not None:  # Evicted or lost while we were asking.
            publication.close(self._session.end.reason)
            return
        _LOG.info(
            "rtmp_publishing",
            peer=self.peer,
            broadcast=publication.broadcast_id,
            encoder=self._session.encoder,
        )
        self._session.admit(self._loop.time())
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # -- Life cycle ----------------------------------------------------------------------------

    def _settle(self) -> None:
        """After anything happened: send, watch the deadline, or close."""
        output = self._session.take_output()
        if output and self._transport is not None and not self._transport.is_closing():
            self._transport.write(output)
        if self._session.end is not None:
            self._close(linger=bool(output))
        else:
            self._arm()

    def _arm(self) -> None:
        """One timer, moved only to an earlier time, so that a packet costs next to nothing."""
        deadline_s = self._session.deadline_s
        if deadline_s is None:
            return
        if self._timer is None or deadline_s < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._session.check_deadline(self._loop.time())
        self._settle()

    def _close(self, *, linger: bool) -> None:
        """End once: publication, log line, socket.

        With ``linger`` the peer gets ``close_s`` to read our last words; closing at once with
        unread input would reset the connection and lose them.
        """
        end, transport = self._session.end, self._transport
        if self._is_closing or end is None:
            return
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._publication is not None:
            self._publication.close(end.reason)
        self._log_end(end)
        if transport is None or transport.is_closing():
            return
        if not linger:
            transport.abort()
            return
        try:
            transport.resume_reading()
            transport.write_eof()
        except OSError:
            transport.abort()  # The peer has reset the connection: nobody is left to read.
            return
        self._timer = self._loop.call_later(self._limits.close_s, transport.abort)

    def _log_end(self, end: SessionEnd) -> None:
        _LOG.info(
            "rtmp_closed",
            peer=self.peer,
            reason=end.reason.value if self._publication else "never admitted",
            detail=end.detail,
            broadcast=self._publication.broadcast_id if self._publication else None,
            encoder=self._session.encoder,
            received_bytes=self._session.received_bytes,
            lasted_s=round(self._loop.time() - self._opened_s, 3),
        )


class RtmpServer:
    """Listens for RTMP publishers and hands their media to ``publishing``.

    ``async with RtmpServer(...) as server:`` accepts from entry to exit; leaving evicts every
    publisher with ``SHUTDOWN`` and waits for the sockets to close.
    """

    def __init__(
        self,
        publishing: Publishing,
        *,
        host: str,
        port: int,
        limits: RtmpLimits = DEFAULT_LIMITS,
    ) -> None:
        """``port`` 0 takes a free one; see :attr:`port`."""
        self.publishing = publishing
        self.limits = limits
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: dict[RtmpConnection, None] = {}  # Oldest first.
        self._per_address: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @property
    def port(self) -> int:
        """The port we listen on."""
        if self._server is not None and self._server.sockets:
            return int(self._server.sockets[0].getsockname()[1])
        return self._port

    @property
    def connections_count(self) -> int:
        """Open sockets, admitted or not."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: RtmpConnection(self), self._host, self._port, reuse_address=True
        )
        _LOG.info("rtmp_listening", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.evict(EndReason.SHUTDOWN)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Every connection aborts itself after ``close_s``; this wait cannot last longer.
        async with asyncio.timeout(self.limits.close_s + 1.0):
            await self._is_empty.wait()
        _LOG.info("rtmp_stopped", host=self._host, port=self._port)

    # -- For connections -----------------------------------------------------------------------

    def register(self, connection: RtmpConnection) -> str | None:
        """Count a new peer; return a sentence when there is one too many.

        Too many means too many that publish or are being admitted: the oldest peer that has not
        asked to publish makes way, so that idle sockets keep no instructor out. Encoders ask
        within a second.
        """
        self._connections[connection] = None
        self._is_empty.clear()
        self._per_address[connection.address] += 1
        limits, count = self.limits, self._per_address[connection.address]
        if count > limits.connections_per_address_count:
            sentence = f"more than {limits.connections_per_address_count} from one address"
            return None if self._make_room(sentence, connection, connection.address) else sentence
        if len(self._connections) > limits.connections_count:
            sentence = f"more than {limits.connections_count} connections"
            return None if self._make_room(sentence, connection) else sentence
        return None

    def _make_room(
        self, sentence: str, newcomer: RtmpConnection, address: str | None = None
    ) -> bool:
        """Close the oldest peer, if any, that has not asked to publish."""
        for connection in self._connections:
            is_there = address is None or connection.address == address
            if is_there and connection is not newcomer and connection.is_waiting:
                connection.make_way(f"{sentence}, and the longest without publishing")
                return True
        return False

    def forget(self, connection: RtmpConnection) -> None:
        """The peer's socket is closed."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        self._per_address[connection.address] -= 1
        if not self._per_address[connection.address]:
            del self._per_address[connection.address]
        if not self._connections:
            self._is_empty.set()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Own a task until it is done; leaving the server cancels it."""
        task = asyncio.get_running_loop().create_task(work, name="rtmp-admission")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _format_peer(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

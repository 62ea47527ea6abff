"""Where WebRTC sockets are bound and what is told about them.

aioice binds an ephemeral port on every interface except loopback. Here the operator decides:
one address (loopback too) or all, a port range, and the public addresses behind a NAT.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import structlog
from aioice import ice, stun
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aiortc import RTCIceServer

from kernel.config import Settings
from kernel.errors import CapacityError

WILDCARDS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound
SOCKET_BUFFER_BYTES: Final = 4 << 20  # A 1 MB key picture in one burst; the kernel counts double.
BURST_DATAGRAMS: Final = 64  # Read in one turn of the loop; a 1 MB key picture takes a dozen.
MAX_DATAGRAM_BYTES: Final = 65_536
QUEUE_DATAGRAMS: Final = 4096  # Between socket and DTLS; ~5 MB.
SERVER_TIMEOUT_S: Final = 3.0
_CREDENTIALS: Final = re.compile(r"(turns?):([^:@]+):([^@]+)@(.+)")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server; TURN is given as ``turn:user:password@host:port?transport=udp``."""

    url: str
    username: str | None = None
    credential: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _CREDENTIALS.fullmatch(text)
        if match is None:
            return cls(url=text)
        scheme, username, credential, rest = match.groups()
        return cls(url=f"{scheme}:{rest}", username=username, credential=credential)

    def render_link(self) -> str:
        """Render the value of a ``Link`` header (RFC 9725 §4.6)."""
        link = f'<{self.url}>; rel="ice-server"'
        if self.username and self.credential:
            link += f'; username="{self.username}"; credential="{self.credential}"'
            link += '; credential-type="password"'
        return link


@dataclass(frozen=True, slots=True)
class RtcNetwork:
    """Addresses of WebRTC.

    Attributes:
        bind: One address, or a wildcard for every interface but loopback.
        ports: First and last UDP port, both usable; ``None`` for ephemeral ones.
        public_ips: Announced instead of the bound addresses of the same family.
    """

    bind: str = "127.0.0.1"
    ports: tuple[int, int] | None = None
    public_ips: tuple[str, ...] = ()
    ice_servers: tuple[IceServer, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        ports = None
        if settings.rtc_ports:
            first, last = settings.rtc_ports.split("-")
            ports = (int(first), int(last))
        return cls(
            bind=settings.rtc_bind or settings.bind,
            ports=ports,
            public_ips=settings.rtc_public_ips,
            ice_servers=tuple(IceServer.parse(url) for url in settings.ice_servers),
        )

    def build_ice_servers(self) -> list[RTCIceServer]:
        """For aiortc. Never ``None``: that would mean Google's STUN server."""
        return [
            RTCIceServer(urls=server.url, username=server.username, credential=server.credential)
            for server in self.ice_servers
        ]

    def find_addresses(self) -> list[str]:
        """Local addresses to bind, without link-local ones."""
        if self.bind == "localhost":
            return ["127.0.0.1"]
        if self.bind not in WILDCARDS:
            return [self.bind]
        found = ice.get_host_addresses(use_ipv4=True, use_ipv6=self.bind != "0.0.0.0")  # noqa: S104 - compared
        usable = [address for address in found if not ipaddress.ip_address(address).is_link_local]
        return usable or ["127.0.0.1"]

    def announce(self, address: str) -> list[str]:
        """Addresses to write into the answer for the bound ``address``."""
        version = ipaddress.ip_address(address).version
        public = [ip for ip in self.public_ips if ipaddress.ip_address(ip).version == version]
        return public or [address]


class _MediaProtocol(ice.StunProtocol):
    """aioice's socket handler with a short way for media.

    asyncio hands over one datagram per turn of the loop, and a turn costs more than a packet of
    media does. A picture comes as a burst: what has arrived with its first packet is read at once.

    Attributes:
        socket: Bound and non-blocking; ``None`` for relayed candidates.
    """

    socket: socket.socket | None = None

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        self._take(data, addr)
        if self.socket is None:
            return
        for _ in range(BURST_DATAGRAMS):
            try:
                data, addr = self.socket.recvfrom(MAX_DATAGRAM_BYTES)
            except OSError:  # Nothing is left; a real fault asyncio meets and reports itself.
                return
            self._take(data, addr)

    def _take(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        # RFC 7983 §7: a first byte of 128..191 is RTP or RTCP, 0..3 is STUN.
        if data and isinstance(data, bytes) and 127 < data[0] < 192:  # noqa: PLR2004 - the same
            self.receiver.data_received(data, self.local_candidate.component)
        else:
            super().datagram_received(data, addr)


def _open_socket(address: str, port: int) -> socket.socket:
    """Bind a non-blocking UDP socket with room for a burst.

    Raises:
        OSError: The port is taken, or the address is not ours.
    """
    is_v6 = ipaddress.ip_address(address).version == 6  # noqa: PLR2004 - the version's number
    udp = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        udp.bind((address, port))
    except BaseException:
        udp.close()
        raise
    return udp


class HallIceConnection(ice.Connection):
    """An ICE agent bound as ``RtcNetwork`` says. Built through ``streamer.rtc.seams``.

    Queue: datagrams waiting for DTLS, bounded; when full the newest is dropped and counted.
    """

    def __init__(self, *, network: RtcNetwork, **options: Any) -> None:
        super().__init__(**options)
        self._network = network
        self.dropped_count = 0
        self.media_handler: Callable[[bytes], bool] | None = None

    def data_received(self, data: bytes, component: int) -> None:
        if not data:
            return  # aiortc would look at its first byte and close the transport.
        # Datagrams that wait come first: the short way is for an empty queue only.
        if self.media_handler is not None and self._queue.empty() and self.media_handler(data):
            return
        if self._queue.qsize() >= QUEUE_DATAGRAMS:
            self.dropped_count += 1
            return
        super().data_received(data, component)

    def check_incoming(
        self, message: stun.Message, addr: tuple[str, int], protocol: ice.StunProtocol
    ) -> None:
        # RFC 8445 §7.1.1: PRIORITY MUST be included. FFmpeg 8.0's WHIP muxer leaves it out;
        # the priority of a peer-reflexive candidate is what it would have said.
        message.attributes.setdefault("PRIORITY", candidate_priority(1, "prflx"))
        super().check_incoming(message, addr, protocol)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        """Bind our own sockets; ask STUN and TURN servers as aioice does, with a deadline.

        Raises:
            CapacityError: Nothing could be bound, e.g. the port range is used up.
        """
        del addresses, timeout
        protocols = [
            await self._bind(address, component) for address in self._network.find_addresses()
        ]
        bound = [protocol for protocol in protocols if protocol is not None]
        if not bound:
            raise CapacityError("no free UDP port for WebRTC: see HALL_RTC_BIND, HALL_RTC_PORTS")
        self._protocols += bound
        candidates = [protocol.local_candidate for protocol in bound]
        return candidates + await self._ask_servers(component, bound)

    async def _bind(self, address: str, component: int) -> ice.StunProtocol | None:
        loop = asyncio.get_running_loop()
        for port in self._list_ports():
            try:
                udp = _open_socket(address, port)
            except OSError as error:
                log.debug("rtc_port_taken", address=address, port=port, error=str(error))
                continue
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: _MediaProtocol(self), sock=udp
            )
            protocol.socket = udp
            host, bound_port = transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=host,
                port=bound_port,
                type="host",
            )
            return protocol
        return None

    def _list_ports(self) -> list[int]:
        if self._network.ports is None:
            return [0]
        first, last = self._network.ports
        ports = list(range(first, last + 1))
        random.shuffle(ports)
        return ports

    async def _ask_servers(
        self, component: int, protocols: list[ice.StunProtocol]
    ) -> list[Candidate]:
        tasks: list[asyncio.Task[Any]] = []
        if self.stun_server:
            tasks += [
                asyncio.create_task(ice.server_reflexive_candidate(protocol, self.stun_server))
                for protocol in protocols
                if ipaddress.ip_address(protocol.local_candidate.host).version == 4  # noqa: PLR2004
            ]
        if self.turn_server:
            relay = ice.relayed_candidate(
                component=component,
                hide_related_address=False,
                protocol_factory=lambda: _MediaProtocol(self),
                turn_server=self.turn_server,
                turn_username=self.turn_username,
                turn_password=self.turn_password,
                turn_ssl=self.turn_ssl,
                turn_transport=self.turn_transport,
            )
            tasks.append(asyncio.create_task(relay))
        if not tasks:
            return []
        done, pending = await asyncio.wait(tasks, timeout=SERVER_TIMEOUT_S)
        for task in pending:
            task.cancel()
        candidates = []
        for task in done:
            if task.exception() is not None:
                log.warning("ice_server_failed", error=repr(task.exception()))
                continue
            candidate, protocol = task.result()
            candidates.append(candidate)
            if protocol is not None:
                self._protocols.append(protocol)
        return candidates

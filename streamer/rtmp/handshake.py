"""The RTMP handshake, server side. Pure. No I/O, no clock.

The plain variant is answered to everybody. A client that sends the digest variant (FFmpeg, Flash)
sees a server version of zero in S1 and takes the plain path, as the digest only ever mattered to
Flash players.
"""

from __future__ import annotations

from typing import Final

from kernel.errors import BitstreamError

VERSION: Final = 3  # RTMP 1.0 §5.2.2: "In this specification, the version is 3."
PACKET_BYTES: Final = 1536  # §5.2.3: C1 and S1 are 1536 octets long.
_ECHO_HEAD_BYTES: Final = 8
_FIRST_PRINTABLE: Final = 32  # §5.2.2: 32-255 are not allowed, so that text protocols differ.


class ServerHandshake:
    """Bytes of C0, C1 and C2 in; S0, S1 and S2 out.

    Args:
        random_bytes: 1528 bytes for S1; they only need to differ between connections.
    """

    def __init__(self, random_bytes: bytes) -> None:
        if len(random_bytes) != PACKET_BYTES - _ECHO_HEAD_BYTES:
            raise ValueError(f"S1 needs 1528 bytes, got {len(random_bytes)}")
        self._s1 = bytes(_ECHO_HEAD_BYTES) + random_bytes
        self._pending = bytearray()
        self._has_answered = False
        self.is_done = False

    def receive(self, data: bytes | memoryview) -> tuple[bytes, bytes]:
        """Take bytes; return (bytes to send, bytes that follow the handshake).

        Raises:
            BitstreamError: The peer does not speak RTMP version 3.
        """
        self._pending += data
        answer = b""
        if self._pending and self._pending[0] != VERSION:
            raise BitstreamError(_describe_version(self._pending[0]))
        if not self._has_answered and len(self._pending) > PACKET_BYTES:
            # §5.2.4: S2 MUST echo the time and the random data of C1.
            answer = bytes([VERSION]) + self._s1 + self._pending[1 : PACKET_BYTES + 1]
            self._has_answered = True
        if len(self._pending) <= 2 * PACKET_BYTES:
            return answer, b""
        # What C2 echoes proves nothing we rely on, and some encoders fill it with zeros.
        self.is_done = True
        rest = bytes(self._pending[2 * PACKET_BYTES + 1 :])
        self._pending.clear()
        return answer, rest


def _describe_version(version: int) -> str:
    if version >= _FIRST_PRINTABLE:
        return "the peer does not speak RTMP"
    return f"RTMP version {version} is not supported, only 3"

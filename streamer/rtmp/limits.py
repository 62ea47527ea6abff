"""What an RTMP peer may ask of us. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RtmpLimits:
    """Every bound of the RTMP ingest; each has its reason beside it."""

    connections_count: int = 128  # One box teaches far fewer classes at once; caps sockets.
    connections_per_address_count: int = 16  # A school behind one NAT; caps one stranger.
    handshake_s: float = 5.0  # Three round trips of a bad mobile link take 2 s.
    publish_s: float = 10.0  # From accept to the publish command; encoders need < 1 s.
    admit_s: float = 10.0  # Asking vod; the broadcast has its own, shorter deadline.
    first_media_s: float = 15.0  # Cameras and capture cards take seconds to start.
    idle_s: float = 10.0  # No byte at all: the peer is gone.
    stall_s: float = 4.5  # No media message: a dead publisher is noticed within 5 s (DESIGN §4.2).
    close_s: float = 1.0  # Time a peer gets to read why it is being closed.
    gather_s: float = 0.06  # Pause between reads of a live publisher; 0 turns it off. Halves CPU.
    chunk_bytes_min: int = 128  # The protocol's default; less only costs us CPU.
    chunk_bytes_max: int = 1024 * 1024  # Encoders use 128 B - 64 kB.
    message_bytes: int = 8 * 1024 * 1024  # A 4K all-intra keyframe is < 4 MB.
    audio_bytes: int = 256 * 1024  # An AAC frame of eight channels is 6 kB.
    command_bytes: int = 64 * 1024  # Real commands and metadata are < 4 kB.
    control_bytes: int = 64  # Protocol control messages have 4-14 bytes.
    buffered_bytes: int = 12 * 1024 * 1024  # All unfinished messages of a connection together.
    chunk_streams_count: int = 64  # Encoders use two to six.
    commands_count: int = 256  # A whole session has about ten.
    idle_messages_count: int = 1024  # Control, empty, unknown ones before publishing; real: < 20.
    messages_per_read_count: int = 4096  # Silent AAC is 9 B a message; bounds one loop turn.
    bad_tags_count: int = 100  # Malformed access units dropped before we give up.
    amf_depth_count: int = 16  # Real metadata nests two deep.
    amf_elements_count: int = 1024  # Real metadata has about thirty.
    write_buffer_bytes: int = 256 * 1024  # Answers a peer asks for but never reads.
    receive_bytes: int = 32 * 1024  # One read; also bounds the work of one loop turn.


DEFAULT_LIMITS = RtmpLimits()

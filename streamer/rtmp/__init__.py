"""RTMP ingest: handshake, chunk streams, AMF0, FLV tags, sessions and the server over them."""

from streamer.rtmp.limits import RtmpLimits
from streamer.rtmp.server import RtmpServer

__all__ = ["RtmpLimits", "RtmpServer"]

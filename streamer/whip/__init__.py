"""WHIP ingest (RFC 9725): H.264 passed through, Opus turned into AAC.

``whip_routes`` for the application, ``WhipSessions`` to own and close what runs.
"""

from streamer.whip.http import whip_routes
from streamer.whip.sessions import WhipSessions
from streamer.whip.settings import WhipSettings

__all__ = ["WhipSessions", "WhipSettings", "whip_routes"]

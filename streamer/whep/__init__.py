"""WHEP egress: sub-second viewing by WebRTC, within a seat limit, without encoding video.

``whep_routes`` for the application, ``WhepSessions`` to own and close what runs.
"""

from streamer.whep.http import whep_routes
from streamer.whep.ports import WhepBroadcast, WhepBroadcasts
from streamer.whep.sessions import WhepSessions
from streamer.whep.settings import WhepSettings

__all__ = ["WhepBroadcast", "WhepBroadcasts", "WhepSessions", "WhepSettings", "whep_routes"]

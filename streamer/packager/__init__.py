"""From a publisher's units to parts and segments of both renditions. Synchronous, on the loop."""

from streamer.packager.packager import Packager

__all__ = ["Packager"]

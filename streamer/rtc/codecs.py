"""The codecs we negotiate: H.264 in packetization mode 1 and Opus, nothing else. Pure."""

from __future__ import annotations

from typing import Final

from aiortc import RTCRtpCodecCapability
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters

# Profile and level as the answer says them: level 4.0 (1080p30), where aiortc stops at 3.1.
# Constrained Baseline first: every browser encodes and decodes it.
H264_PROFILES: Final = ("42e028", "420028", "4d0028", "640c28", "640028")
_FIRST_PAYLOAD_TYPE: Final = 103  # aiortc's own list ends at 102.


def _h264_fmtp(profile: str) -> dict[str, int | str | None]:
    return {
        "level-asymmetry-allowed": "1",
        "packetization-mode": "1",
        "profile-level-id": profile,
    }


def build_h264_codecs() -> list[RTCRtpCodecParameters]:
    """Codec entries for ``aiortc.codecs.CODECS``, each followed by its RTX."""
    codecs = []
    for index, profile in enumerate(H264_PROFILES):
        payload_type = _FIRST_PAYLOAD_TYPE + 2 * index
        codecs += [
            RTCRtpCodecParameters(
                mimeType="video/H264",
                clockRate=90_000,
                payloadType=payload_type,
                rtcpFeedback=[
                    RTCRtcpFeedback(type="nack"),
                    RTCRtcpFeedback(type="nack", parameter="pli"),
                    RTCRtcpFeedback(type="goog-remb"),
                ],
                parameters=_h264_fmtp(profile),
            ),
            RTCRtpCodecParameters(
                mimeType="video/rtx",
                clockRate=90_000,
                payloadType=payload_type + 1,
                parameters={"apt": payload_type},
            ),
        ]
    return codecs


def build_video_preferences() -> list[RTCRtpCodecCapability]:
    """For ``setCodecPreferences``: H.264 and RTX, so that VP8 is never chosen."""
    preferences = [
        RTCRtpCodecCapability(
            mimeType="video/H264", clockRate=90_000, parameters=_h264_fmtp(profile)
        )
        for profile in H264_PROFILES
    ]
    return [*preferences, RTCRtpCodecCapability(mimeType="video/rtx", clockRate=90_000)]


def build_audio_preferences() -> list[RTCRtpCodecCapability]:
    """For ``setCodecPreferences``: Opus only."""
    return [RTCRtpCodecCapability(mimeType="audio/opus", clockRate=48_000, channels=2)]

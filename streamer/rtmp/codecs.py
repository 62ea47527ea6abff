"""Names of the codecs that FLV and Enhanced RTMP can carry, and the refusal of most. Pure."""

from __future__ import annotations

from typing import Final

from kernel.errors import MediaError

AVC_ID: Final = 7
AAC_ID: Final = 10
EX_AUDIO_ID: Final = 9

VIDEO_NAMES: Final = {
    1: "JPEG", 2: "Sorenson H.263", 3: "screen video", 4: "VP6", 5: "VP6 with alpha",
    6: "screen video 2", 12: "HEVC", 13: "AV1",
}  # fmt: skip
AUDIO_NAMES: Final = {
    0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
    7: "G.711 A-law", 8: "G.711 mu-law", 11: "Speex", 13: "Opus", 14: "MP3", 15: "device sound",
}  # fmt: skip
FOURCC_NAMES: Final = {
    b"hvc1": "HEVC", b"vvc1": "VVC", b"av01": "AV1", b"vp08": "VP8", b"vp09": "VP9",
    b"Opus": "Opus", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b"fLaC": "FLAC", b".mp3": "MP3",
}  # fmt: skip


class UnsupportedCodecError(MediaError):
    """The publisher sends something we do not carry; the sentence says what to change."""

    kind = "media-codec"

    def __init__(self, codec: str, *, advice: str) -> None:
        super().__init__(f"{codec} is not supported here: {advice}")
        self.codec = codec


def refuse_video(codec: str) -> UnsupportedCodecError:
    return UnsupportedCodecError(codec, advice="set the encoder's video to H.264 (AVC)")


def refuse_audio(codec: str) -> UnsupportedCodecError:
    return UnsupportedCodecError(codec, advice="set the encoder's audio to AAC-LC")


def name_fourcc(fourcc: bytes) -> str:
    """A codec's name, or its FourCC in printable form."""
    return FOURCC_NAMES.get(fourcc) or f"codec {fourcc.decode('ascii', 'backslashreplace')}"

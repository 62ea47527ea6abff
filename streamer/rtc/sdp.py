"""Session descriptions from strangers: checked and trimmed before aiortc sees them. Pure.

Refuses: more than 1000 lines, more than one audio and one video section, data channels, offers
without H.264 or Opus, without ICE credentials, fingerprint or RTCP multiplexing.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal

from aiortc import codecs
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.sdp import MediaDescription, SessionDescription

from kernel.errors import InputError
from streamer.rtc.ice import RtcNetwork

MAX_LINES: Final = 1000  # Chromium's offer for two tracks has < 200; aiortc's parser is quadratic.
MAX_LINE_CHARS: Final = 2048
MAX_CANDIDATES: Final = 16  # We send checks to each; more would make us a reflector.
_ICE_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")  # RFC 8839 §5.4: 4*256ice-char
_ICE_PWD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,32}")
_DIGESTS: Final = frozenset({"sha-256", "sha-384", "sha-512"})
# FFmpeg 8 prints the flags of Constrained Baseline as "200", a digit too many (seen when it copies
# such a stream); it means 42e0.
_FFMPEG_BASELINE: Final = re.compile(r"(profile-level-id=42)200([0-9a-f]{2})\b")
OPUS_FMTP: Final = "minptime=10;stereo=1;sprop-stereo=1;useinbandfec=1;maxaveragebitrate=128000"

Role = Literal["publish", "play"]
_NEEDED: Final[dict[Role, frozenset[str]]] = {
    "publish": frozenset({"sendonly", "sendrecv"}),
    "play": frozenset({"recvonly", "sendrecv"}),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that we can answer.

    Attributes:
        sdp: The text to give to aiortc, without candidates that are of no use to us.
        kinds: ``audio``, ``video``, in their order.
        ice_ufrag: Of the client; a PATCH with another one asks for an ICE restart.
    """

    sdp: str
    kinds: tuple[str, ...]
    ice_ufrag: str


def check_offer(text: str, role: Role) -> Offer:
    """Check an offer.

    Raises:
        InputError: 400 unreadable, 406 no codec in common, 422 readable but not usable here.
    """
    cleaned = _trim(text)
    description = _parse(cleaned)
    if not description.media:
        raise InputError("the offer has no media section", status=422)
    kinds = tuple(media.kind for media in description.media)
    if len(set(kinds)) < len(kinds) or not set(kinds) <= {"audio", "video"}:
        raise InputError(
            "the offer may have one audio and one video section and nothing else", status=422
        )
    mids = [media.rtp.muxId for media in description.media]
    if len(set(mids)) < len(mids):
        raise InputError("two media sections have the same mid", status=422)
    for media in description.media:
        _check_media(media, role)
    ice = description.media[0].ice
    return Offer(cleaned, kinds, (ice.usernameFragment if ice else None) or "")


def _trim(text: str) -> str:
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE_CHARS for line in lines):
        raise InputError(
            f"the offer has more than {MAX_LINES} lines or one above {MAX_LINE_CHARS} characters"
        )
    if lines[0] != "v=0" or (not text.isprintable() and not _is_plain(text)):
        raise InputError("the body is not a session description")
    kept, candidates_count = [], 0
    for line in lines:
        if line.startswith("a=candidate:"):
            candidates_count += 1
            if candidates_count > MAX_CANDIDATES or not is_useful_candidate(line[12:]):
                continue
        # More candidates may come by PATCH, and checks from the client reach us anyway; told
        # about the end, aioice would give up before the first check arrives.
        if line == "a=end-of-candidates":
            continue
        kept.append(_FFMPEG_BASELINE.sub(r"\1e0\2", line))
    return "\r\n".join(kept) + "\r\n"


def _is_plain(text: str) -> bool:
    return all(char in "\r\n\t" or char.isprintable() for char in text)


def is_useful_candidate(value: str) -> bool:
    """Tell whether we can send to a candidate: UDP, component 1 and a literal address.

    mDNS names would make us wait for a multicast answer; such clients reach us themselves.
    """
    bits = value.split()
    if len(bits) < 8 or bits[1] != "1" or bits[2].lower() != "udp":  # noqa: PLR2004 - RFC 8839 §5.1
        return False
    try:
        address = ipaddress.ip_address(bits[4])
        port, priority = int(bits[5]), int(bits[3])
    except ValueError:
        return False
    is_sane = 0 < port < 1 << 16 and 0 <= priority < 1 << 32
    return is_sane and not address.is_multicast and not address.is_unspecified


def _parse(text: str) -> SessionDescription:
    try:
        return SessionDescription.parse(text)
    except (
        ValueError,
        LookupError,
        AssertionError,
        AttributeError,
        TypeError,
        StopIteration,
    ) as error:  # aiortc's parser lets all of these out on foreign text.
        raise InputError(f"the session description cannot be read: {error!r}") from error


def _check_media(media: MediaDescription, role: Role) -> None:
    kind = media.kind
    if not _MID.fullmatch(media.rtp.muxId or ""):
        raise InputError(f"{kind}: a=mid is missing", status=422)
    if (media.direction or "sendrecv") not in _NEEDED[role]:
        verb = "send" if role == "publish" else "receive"
        raise InputError(f"{kind}: the offer must {verb}, it says {media.direction}", status=422)
    if media.ice is None or not _ICE_UFRAG.fullmatch(media.ice.usernameFragment or ""):
        raise InputError(f"{kind}: a=ice-ufrag is missing or malformed", status=422)
    if not _ICE_PWD.fullmatch(media.ice.password or ""):
        raise InputError(f"{kind}: a=ice-pwd is missing or malformed", status=422)
    if media.dtls is None or not any(
        print_.algorithm.lower() in _DIGESTS for print_ in media.dtls.fingerprints
    ):
        raise InputError(f"{kind}: a=setup or a SHA-2 a=fingerprint is missing", status=422)
    if not media.rtcp_mux:
        raise InputError(f"{kind}: a=rtcp-mux is missing", status=422)
    _check_codecs(media)


def _check_codecs(media: MediaDescription) -> None:
    wanted = "video/h264" if media.kind == "video" else "audio/opus"
    ours = [codec for codec in codecs.CODECS[media.kind] if codec.mimeType.lower() == wanted]
    try:
        common = find_common_codecs(ours, media.rtp.codecs)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{media.kind}: codecs cannot be read: {error!r}") from error
    if not common:
        if media.kind == "video":
            raise InputError(
                "The offer has no H.264 video (packetization-mode=1). This server passes H.264 "
                "through and does not transcode; use a browser or an encoder with H.264.",
                status=406,
                title_zh="浏览器或编码器不支持 H.264,请换用支持 H.264 的浏览器或 OBS",
            )
        raise InputError(
            "The offer has no Opus audio (opus/48000/2).",
            status=406,
            title_zh="浏览器或编码器不支持 Opus 音频",
        )


def build_answer(sdp: str, network: RtcNetwork) -> str:
    """Finish aiortc's answer: public addresses, stereo Opus with in-band FEC."""
    lines: list[str] = []
    for line in sdp.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if line.startswith("a=candidate:"):
            lines += _announce_candidate(line, network)
        elif line.startswith("c=IN "):
            lines.append(_announce_connection(line, network))
        else:
            lines.append(line)
            match = re.fullmatch(r"a=rtpmap:(\d+) opus/48000/2", line)
            if match:
                lines.append(f"a=fmtp:{match.group(1)} {OPUS_FMTP}")
    return "\r\n".join(lines) + "\r\n"


def _announce_candidate(line: str, network: RtcNetwork) -> list[str]:
    bits = line.split(" ")
    if bits[7] != "host":
        return [line]
    announced = []
    for index, address in enumerate(network.announce(bits[4])):
        foundation = bits[0] if not index else f"{bits[0]}{index}"
        announced.append(" ".join([foundation, *bits[1:4], address, *bits[5:]]))
    return announced


def _announce_connection(line: str, network: RtcNetwork) -> str:
    address = line.split()[2]
    if ipaddress.ip_address(address).is_unspecified:
        return line
    first = network.announce(address)[0]
    return f"c=IN IP{ipaddress.ip_address(first).version} {first}"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A trickle-ICE fragment (RFC 8840): its user fragment and its usable candidates."""

    ice_ufrag: str | None
    candidates: tuple[str, ...]


def parse_fragment(text: str) -> Fragment:
    """Read an ``application/trickle-ice-sdpfrag`` body.

    Raises:
        InputError: 400 when it is no fragment.
    """
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE_CHARS for line in lines):
        raise InputError("the fragment is too long")
    ufrag, candidates = None, []
    for line in lines:
        if not line.startswith(("a=", "m=")):
            raise InputError("the body is not a trickle-ice-sdpfrag")
        if line.startswith("a=ice-ufrag:"):
            ufrag = line.removeprefix("a=ice-ufrag:")
        elif line.startswith("a=candidate:") and is_useful_candidate(line[12:]):
            candidates.append(line[12:])
    return Fragment(ufrag, tuple(candidates[:MAX_CANDIDATES]))

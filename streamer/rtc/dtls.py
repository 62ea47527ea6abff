"""DTLS transport that accepts what real clients bring and survives what hostile ones send."""

from __future__ import annotations

import hmac
import struct
from typing import Final

import structlog
from aiortc.rtcdtlstransport import RTCDtlsParameters, RTCDtlsTransport, State

# RFC 8122 §5: the hash functions; SHA-1 is no longer taken.
DIGESTS: Final = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}

log = structlog.get_logger(__name__)


class HallDtlsTransport(RTCDtlsTransport):
    """aiortc's transport with two methods made safe. Built through ``streamer.rtc.seams``."""

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803 - aiortc's name
        """Compare the certificate's digests with the fingerprints of the offer.

        The certificate is hashed as it came. aiortc parses it first, and FFmpeg 8's has a negative
        serial number every other time, which ``cryptography`` warns about and will refuse.
        """
        certificate = self._ssl.get_peer_certificate() if self._ssl is not None else None
        supported_count = matching_count = 0
        for fingerprint in remoteParameters.fingerprints:
            digest = DIGESTS.get(fingerprint.algorithm.lower())
            if digest is None or certificate is None:
                continue
            supported_count += 1
            actual = certificate.digest(digest)
            if hmac.compare_digest(actual, fingerprint.value.upper().encode()):
                matching_count += 1
        # RFC 8122 §5: all fingerprints of a supported hash must match, and one there must be.
        if not supported_count or matching_count < supported_count:
            log.warning("dtls_fingerprint_mismatch")
            self._set_state(State.FAILED)

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        try:
            await super()._handle_rtp_data(data, arrival_time_ms)
        except struct.error as error:
            # A header extension of the wrong size; aiortc would close the transport.
            log.debug("rtp_extension_malformed", error=str(error))

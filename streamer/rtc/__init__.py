"""What WHIP ingest and WHEP egress share: ICE binding, codecs, SDP checks, join limits, seams."""

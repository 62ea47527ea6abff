"""Live: ingest, one timeline, CMAF parts, the LL-HLS origin and the recorder. No database."""

"""The recorder: spool files, journal, upload to the blob store, and recovery after a crash."""

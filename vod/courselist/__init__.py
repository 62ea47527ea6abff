"""The course list in and out: xlsx, csv, JSON; the same file twice changes nothing."""

"""Open the blob store that the settings ask for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from kernel.blobs.directory import DirectoryBlobStore
from kernel.blobs.port import BlobStore
from kernel.blobs.s3 import S3BlobStore, S3Location
from kernel.config import Settings
from kernel.errors import SettingsError


def open_blob_store(settings: Settings) -> BlobStore:
    """Build the store; nothing is touched before its first call.

    Raises:
        SettingsError: ``HALL_BLOBS_URL`` is no ``s3://host:port/bucket``, or its keys are missing.
    """
    if settings.blobs_url is None:
        return DirectoryBlobStore(settings.data / "blobs")
    if settings.s3_access_key is None or settings.s3_secret_key is None:
        raise SettingsError(["HALL_S3_ACCESS_KEY and HALL_S3_SECRET_KEY: needed by HALL_BLOBS_URL"])
    return S3BlobStore(
        parse_s3_url(settings.blobs_url),
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
    )


def parse_s3_url(url: str) -> S3Location:
    """Parse ``s3://host:port/bucket[?secure=1&region=...]``.

    Raises:
        SettingsError: It has another form.
    """
    parts = urlsplit(url)
    bucket = parts.path.strip("/")
    if (
        parts.scheme != "s3"
        or not parts.netloc
        or not bucket
        or "/" in bucket
        or "@" in parts.netloc
    ):
        raise SettingsError(["HALL_BLOBS_URL: give s3://host:port/bucket[?secure=1&region=...]"])
    options = parse_qs(parts.query)
    return S3Location(
        endpoint=parts.netloc,
        bucket=bucket,
        is_secure=options.get("secure", ["0"])[-1] in {"1", "true", "yes"},
        region=options.get("region", ["us-east-1"])[-1],
    )

"""A blob store of each kind, empty; the S3 one is a bucket of a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from kernel.blobs import BlobStore, open_blob_store
from kernel.config import Settings, load_settings
from tests.support.seaweed import ACCESS_KEY, SECRET_KEY


@pytest.fixture(params=["directory", "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Of an empty store. Import both fixtures by their names where ``store`` is wanted."""
    if request.param == "directory":
        return load_settings(data=tmp_path / "data")
    server = request.getfixturevalue("seaweed")
    return load_settings(
        data=tmp_path / "data",
        blobs_url=server.blobs_url(f"test-{uuid4().hex[:12]}"),
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
    )


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[BlobStore]:
    """The store of these settings."""
    opened = open_blob_store(settings)
    yield opened
    await opened.close()

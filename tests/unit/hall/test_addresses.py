"""How this machine reaches itself, whatever address it listens on."""

from __future__ import annotations

from pathlib import Path

import pytest

from hall.up import local_host, local_origin
from kernel.config import Settings


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - compared, not bound
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_address_fits_into_a_url(tmp_path: Path, bind: str, host: str) -> None:
    settings = Settings(data=tmp_path, bind=bind, http_port=8080)
    assert local_host(settings) == host
    assert local_origin(settings) == f"http://{host}:8080"

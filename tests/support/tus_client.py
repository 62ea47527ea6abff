"""tus 1.0 requests word by word, and files that are worth uploading."""

from __future__ import annotations

import base64
import hashlib
import io
import random
from typing import Any

from tests.support.vod import Answer, Vod
from vod.accounts.roles import Role

TUS = {"Tus-Resumable": "1.0.0"}
OCTETS = "application/offset+octet-stream"


def make_bytes(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that do not compress and are the same for a seed."""
    return random.Random(seed).randbytes(size_bytes)


def encode_metadata(**values: str) -> str:
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items()
    )


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


async def create(
    vod: Vod,
    size_bytes: int,
    *,
    role: Role | None = Role.EDITOR,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    **metadata: str,
) -> Answer:
    metadata.setdefault("filename", "第一讲.mp4")
    sent = {
        **TUS,
        "Upload-Length": str(size_bytes),
        "Upload-Metadata": encode_metadata(**metadata),
        **({"Content-Type": OCTETS} if body is not None else {}),
        **(headers or {}),
    }
    return await vod.call("POST", "/uploads", role=role, headers=sent, data=body)


async def start(vod: Vod, size_bytes: int, **options: Any) -> str:
    """Create an upload; return its path, as ``Location`` has it."""
    answer = await create(vod, size_bytes, **options)
    assert answer.status == 201, (answer.status, answer.body)
    return str(answer.headers["Location"])


async def patch(
    vod: Vod,
    path: str,
    offset: int,
    data: Any,
    *,
    role: Role | None = Role.EDITOR,
    **headers: str,
) -> Answer:
    sent = {
        **TUS,
        "Content-Type": OCTETS,
        "Upload-Offset": str(offset),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    body = io.BytesIO(data) if isinstance(data, bytes) else data
    return await vod.call("PATCH", path, role=role, headers=sent, data=body)


async def head(vod: Vod, path: str, *, role: Role | None = Role.EDITOR) -> Answer:
    return await vod.call("HEAD", path, role=role, headers=TUS)


async def offset_of(vod: Vod, path: str) -> int:
    answer = await head(vod, path)
    assert answer.status == 200, answer.status
    return int(answer.headers["Upload-Offset"])


async def upload_whole(vod: Vod, data: bytes, **options: Any) -> dict[str, Any]:
    """Upload in one request; return what the API says of it afterwards."""
    role = options.get("role", Role.EDITOR)
    path = await start(vod, len(data), **options)
    answer = await patch(vod, path, 0, data, role=role)
    assert answer.status == 204, (answer.status, answer.body)
    shown = await vod.call("GET", path, role=role)
    assert shown.status == 200
    body: dict[str, Any] = shown.body
    return body

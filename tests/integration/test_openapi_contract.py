"""A machine reads the OpenAPI document and tries what it allows, and what it does not."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.vod import Vod, databases, sqlite_url, sqlite_vod
from vod.accounts.roles import Role

__all__ = ["databases", "sqlite_url", "sqlite_vod"]  # Fixtures.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,"
CHECKS += "response_schema_conformance,unsupported_method"
DEADLINE_S = 100
EXAMPLES = 7  # Of each of about thirty operations: some two hundred a run.


def _exclude(*operation_ids: str) -> list[str]:
    return [part for each in operation_ids for part in ("--exclude-operation-id", each)]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("role", [None, Role.ADMIN, Role.INSTRUCTOR])
async def test_the_api_answers_as_its_document_says(
    sqlite_vod: Vod, role: Role | None, tmp_path: Path
) -> None:
    await sqlite_vod.add_class()
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None, "schemathesis is among the requirements of the tests"
    argv = [
        "run", f"{sqlite_vod.base}/api/v1/openapi.json", "--max-examples", str(EXAMPLES),
        "--phases", "fuzzing", "-c", CHECKS, "--seed", "1", "--generation-database", "none",
        # Signing out would end the session that all other requests use.
        "--exclude-operation-id", "deleteSession",
        # Bodies of a media type that it cannot make; tests/integration/test_uploads_tus.py does.
        *_exclude("postUploads", "patchUploadsByUploadId", "postUploadsByUploadId"),
        # Lists for its numbers pass the longest request line, which aiohttp answers by itself.
        *_exclude("getMenusByMenuIdDiff"),
    ]  # fmt: skip
    if role is not None:
        argv += ["-H", f"Authorization: Bearer {await sqlite_vod.token_of(role)}"]
    process = await asyncio.create_subprocess_exec(
        program, *argv, cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode(errors="replace")[-6000:]

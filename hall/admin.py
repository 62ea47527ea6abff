"""What the command line does for an operator: accounts straight in the database, classes by API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
from pydantic import ValidationError

from hall.api import HallApi
from hall.folders import ensure_folders
from hall.up import local_origin
from kernel.config import Settings
from kernel.errors import DependencyError, InputError
from vod.accounts import schemas
from vod.accounts.operator import open_operator_session
from vod.accounts.passwords import Passwords
from vod.accounts.roles import Role
from vod.accounts.service import create_account as create_in_database
from vod.db.engine import open_database


async def create_account(
    settings: Settings,
    *,
    login: str,
    display_name: str | None,
    role: str,
    password: str | None,
) -> str | None:
    """Create an account, whether the services run or not.

    Returns:
        The password if it was generated here.

    Raises:
        ConflictError: The login is taken.
        InputError: Login, name or password are not acceptable; says why.
    """
    try:
        wanted = schemas.NewAccount(
            login=login, display_name=display_name or login, role=Role(role), password=password
        )
    except ValidationError as error:
        raise InputError(
            "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
        ) from error
    ensure_folders(settings)
    passwords = Passwords()
    try:
        async with open_database(settings.database) as database:
            _, generated = await create_in_database(
                database, passwords, wanted, actor_id=None, now=datetime.now(UTC)
            )
    finally:
        passwords.close()
    return generated


async def create_live_class(
    settings: Settings, *, title: str, visibility: str, starts_at: datetime
) -> dict[str, Any]:
    """Schedule a class through the running services; the answer is the API's, word for word.

    Raises:
        DependencyError: The services do not run here.
        NotFoundError: There is no administrator yet.
    """
    body = {"title": title, "visibility": visibility, "starts_at": starts_at.isoformat()}
    async with (
        open_database(settings.database) as database,
        open_operator_session(database) as token,
        aiohttp.ClientSession() as session,
    ):
        api = HallApi(session, local_origin(settings), token=token)
        api.speak_of(settings.origin)
        try:
            return dict(await api.call("POST", "/live-classes", body))
        except aiohttp.ClientError as error:
            raise DependencyError(f"{local_origin(settings)} is silent: run `hall up`") from error

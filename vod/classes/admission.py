"""May somebody publish? The answer to streamer's question."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import NotAllowedError
from kernel.ids import is_id
from kernel.messages import PublishGrant, PublishRequest
from vod.classes.keys import build_keys, is_right_credential, read_class_id
from vod.classes.models import LiveClass
from vod.classes.states import ClassState

OLD_KEYS_COUNT: Final = 5  # How many rotated keys are still told from wrong ones.


async def admit_publisher(
    session: AsyncSession, secret: bytes, request: PublishRequest
) -> PublishGrant:
    """Grant or refuse.

    Whoever has no right key learns only that; the state of the class is for those who have it.

    Raises:
        NotAllowedError: 403 in every case, the detail says why.
    """
    live_class_id = request.live_class_id
    if request.protocol == "rtmp":
        live_class_id = read_class_id(request.credential)
    row = None
    if live_class_id is not None and is_id(live_class_id):
        row = await session.get(LiveClass, live_class_id)
    if row is None:
        raise NotAllowedError("the stream key or token is wrong", title_zh="推流密钥不正确")
    if not _is_credential(secret, row, request, row.key_version):
        oldest = max(1, row.key_version - OLD_KEYS_COUNT)
        if any(
            _is_credential(secret, row, request, version)
            for version in range(oldest, row.key_version)
        ):
            raise NotAllowedError("the stream key has been replaced", title_zh="推流密钥已更换")
        raise NotAllowedError("the stream key or token is wrong", title_zh="推流密钥不正确")
    if row.state is ClassState.ENDED or row.end_requested_at is not None:
        raise NotAllowedError("the class has ended", title_zh="这堂课已经结束")
    return PublishGrant(live_class_id=row.id, broadcast_id=row.broadcast_id, title=row.title)


def _is_credential(
    secret: bytes, row: LiveClass, request: PublishRequest, key_version: int
) -> bool:
    keys = build_keys(secret, row.id, key_version)
    expected = keys.stream_key if request.protocol == "rtmp" else keys.whip_token
    return is_right_credential(request.credential, expected)

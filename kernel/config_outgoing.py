"""Settings of what goes out: webhooks, e-mail, WeChat. All of it is off until it is configured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

_RECIPIENT = re.compile(r"[^\s@<>,;]{1,64}@[A-Za-z0-9.-]{1,253}|wechat:[A-Za-z0-9_-]{5,64}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class OutgoingSettings(BaseSettings):
    """Mix-in of ``Settings``."""

    webhook_private: bool = Field(
        default=False, description="Webhooks may use http and lead to private addresses."
    )
    alert_to: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Who is told of failed jobs: NAME@HOST or wechat:OPENID, a comma list."
    )
    notice_to: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Who gets every sent notice: the same, or wechat:draft, or wechat:publish.",
    )
    smtp_host: str | None = Field(None, description="Server that takes our mail; off else.")
    smtp_port: int = Field(465, ge=1, le=65_535)
    smtp_security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="tls is for port 465, starttls for 587."
    )
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str | None = Field(None, description="Address that mail comes from.")
    smtp_ca: Path | None = Field(None, description="PEM of the server's own authority.")
    wechat_app_id: str | None = Field(None, description="Of the official account; off else.")
    wechat_app_secret: SecretStr | None = None
    wechat_template: str | None = Field(
        None, description="Template of messages to one person; customer messages else."
    )
    wechat_template_fields: str = Field(
        "thing1,thing2",
        pattern=r"^\w{1,32},\w{1,32}$",
        description="Its fields for subject and text.",
    )
    wechat_cover: str | None = Field(
        None, description="media_id of the picture of articles; wechat:draft and :publish need it."
    )
    wechat_api: str = Field(
        "https://api.weixin.qq.com",
        pattern=r"^https?://[^\s/]+$",
        description="Its API, or a relay.",
    )

    @field_validator("alert_to", "notice_to", mode="before")
    @classmethod
    def _split_recipients(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("alert_to", "notice_to")
    @classmethod
    def _are_recipients(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not _RECIPIENT.fullmatch(one):
                raise ValueError(f"{one!r}: give NAME@HOST or wechat:OPENID")
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _has_ways(self) -> Self:
        recipients = {*self.alert_to, *self.notice_to}
        if self.smtp_host and not self.smtp_from:
            raise ValueError("HALL_SMTP_HOST needs HALL_SMTP_FROM")
        is_near = self.smtp_host in _LOOPBACK
        if self.smtp_user and self.smtp_security == "none" and not is_near:
            raise ValueError("HALL_SMTP_SECURITY=none would show HALL_SMTP_PASSWORD to everybody")
        if any("@" in one for one in recipients) and not self.smtp_host:
            raise ValueError("mail to recipients needs HALL_SMTP_HOST")
        is_wechat_ready = self.wechat_app_id and self.wechat_app_secret
        if any(one.startswith("wechat:") for one in recipients) and not is_wechat_ready:
            raise ValueError("wechat: needs HALL_WECHAT_APP_ID and HALL_WECHAT_APP_SECRET")
        if {"wechat:draft", "wechat:publish"} & recipients and not self.wechat_cover:
            raise ValueError("wechat:draft and wechat:publish need HALL_WECHAT_COVER")
        return self

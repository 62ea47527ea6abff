"""What the API says about sign-in through a provider."""

from __future__ import annotations

from datetime import datetime

from vod.http.types import View


class SignInProvider(View):
    """The provider as the sign-in page shows it; ``label`` is empty when it is off."""

    is_enabled: bool
    is_reachable: bool
    label: str


class Identity(View):
    """An identity at a provider that opens one's account."""

    id: str
    label: str
    issuer: str
    created_at: datetime
    last_sign_in_at: datetime


class IdentityList(View):
    items: list[Identity]

"""What sign-in through a provider takes from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kernel.config import Settings
from kernel.errors import SettingsError

MAX_SECRET_BYTES: Final = 4096
DEFAULT_CLAIMS: Final = {
    "staff_no": "employee_number",
    "phone": "phone_number",
    "login": "preferred_username",
}


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider.

    Attributes:
        match: Column of accounts that ``claim`` is looked for in.
        client_secret: Empty for a public client.
        may_create: Whoever has no account gets one, as a member.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    label: str
    scopes: str
    claim: str
    match: str
    may_create: bool


def read_provider_blocking(settings: Settings) -> ProviderConfig | None:
    """Read the provider, and its secret from a file when it is in one; ``None`` when off.

    Raises:
        SettingsError: The file cannot be read, or is empty.
    """
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    return ProviderConfig(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_read_secret_blocking(settings),
        label=settings.oidc_label,
        scopes=settings.oidc_scopes,
        claim=settings.oidc_claim or DEFAULT_CLAIMS[settings.oidc_match],
        match=settings.oidc_match,
        may_create=settings.oidc_policy == "create",
    )


def _read_secret_blocking(settings: Settings) -> str:
    path = settings.oidc_client_secret_file
    if path is None:
        secret = settings.oidc_client_secret
        return secret.get_secret_value() if secret else ""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"HALL_OIDC_CLIENT_SECRET_FILE: {error}"]) from error
    if not text:
        raise SettingsError([f"HALL_OIDC_CLIENT_SECRET_FILE: {path} is empty"])
    return text

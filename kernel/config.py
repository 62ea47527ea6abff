"""All settings of all processes: ``HALL_*``, one frozen object, every error reported at once.

The only place that reads the environment. A room takes what it needs in its ``settings.py``.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from kernel.config_outgoing import OutgoingSettings
from kernel.errors import SettingsError

MAX_SOCKET_PATH_CHARS = 90  # sun_path holds 104 bytes on macOS, 108 on Linux, names included.
MAX_PORT = 65_535
_NEXT_ADDRESS = re.compile(r",\s*(?=unix:|tcp:|https?://)|,\s*$")
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]
CommaList = Annotated[tuple[str, ...], NoDecode]


class Settings(OutgoingSettings):
    """Everything an operator can set. Each field is ``HALL_`` + its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="HALL_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    # -- Where we listen -------------------------------------------------------------------------
    bind: str = Field("127.0.0.1", description="Address of the gate and of RTMP. 0.0.0.0 opens up.")
    http_port: Port = Field(
        8080, description="Port of the gate (HTTP, or HTTPS with a certificate)."
    )
    rtmp_port: Port = Field(1935, description="Port of the RTMP ingest.")
    public_url: str | None = Field(
        None, description="How people reach us, e.g. https://hall.example.cn; guessed from bind."
    )
    rtmp_public_url: str | None = Field(
        None, description="rtmp://host:port/live as encoders see it."
    )
    trusted_proxies: CommaList = Field((), description="Networks whose X-Forwarded-* we believe.")
    tls_cert: Path | None = Field(
        None, description="PEM certificate chain; with tls_key turns on TLS."
    )
    tls_key: Path | None = Field(None, description="PEM private key.")
    metrics_bind: str | None = Field(
        None, description="host:port to serve /metrics on, of all that runs here; else closed."
    )

    # -- Where things live -----------------------------------------------------------------------
    data: Path = Field(Path("data"), description="Folder that holds everything we keep.")
    run_dir: Path | None = Field(None, description="Folder of the private sockets; short path.")
    database_url: str | None = Field(
        None, description="postgresql+asyncpg://...; SQLite in the data folder when unset."
    )
    redis_url: str | None = Field(None, description="redis://...; our own Valkey when unset.")
    blobs_url: str | None = Field(
        None, description="s3://host:port/bucket[?secure=1&region=...]; a folder when unset."
    )
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None

    # -- Between the services --------------------------------------------------------------------
    vod_listen: str | None = Field(
        None, description="unix:PATH or tcp:HOST:PORT, public API of vod; the gate takes a list."
    )
    streamer_listen: str | None = Field(None, description="The same for streamer's media listener.")
    internal_bind: str | None = Field(
        None, description="HOST of the private TCP listeners; unset keeps them on unix sockets."
    )
    vod_internal_port: Port = 8091
    streamer_internal_port: Port = 8092
    internal_url: str | None = Field(
        None, description="vod's private listener as others reach it; several as a comma list."
    )
    streamer_internal_url: str | None = Field(None, description="streamer's private listener.")
    internal_secret: SecretStr | None = Field(
        None, description="Shared secret; required as soon as a private listener is on TCP."
    )

    # -- Secrets ---------------------------------------------------------------------------------
    secret: SecretStr | None = Field(
        None, description="Signs stream keys and media paths; generated in the data folder."
    )
    admin_password: SecretStr | None = Field(
        None, description="Of 'admin', only at the first start."
    )

    # -- Live ------------------------------------------------------------------------------------
    rtc_bind: str | None = Field(None, description="Address of WebRTC sockets; follows bind.")
    rtc_public_ips: CommaList = Field((), description="Addresses to announce behind NAT.")
    rtc_ports: str | None = Field(None, description="FIRST-LAST UDP range; ephemeral when unset.")
    ice_servers: CommaList = Field((), description="stun:/turn: URLs; none by default.")
    whep_seats: int = Field(
        50, ge=0, le=1000, description="WebRTC viewers at once; 0 turns it off."
    )
    idle_end_s: int = Field(
        1800, ge=60, description="An interrupted class ends by itself after planned end + this."
    )
    live_retention_days: int = Field(7, ge=0, description="Live segments kept after the ladder.")

    # -- Uploads ---------------------------------------------------------------------------------
    upload_max_bytes: int = Field(16 * 2**30, ge=1, description="Largest file one may upload.")
    upload_quota_bytes: int = Field(
        2**40, ge=0, description="Kept and unfinished uploads of one account; 0 has no limit."
    )
    upload_expires_h: int = Field(
        48, ge=1, description="An upload to which nothing was added for so long is dropped."
    )
    keep_originals: bool = Field(
        default=True, description="Keep uploaded files after their lecture is made."
    )
    inbox: Path | None = Field(None, description="Folder whose files `hall up` makes lectures of.")
    inbox_settle_s: int = Field(
        30, ge=1, description="A file in the inbox is taken when it has not changed for so long."
    )

    # -- Transcode -------------------------------------------------------------------------------
    ffmpeg: Path | None = Field(None, description="Our own build otherwise.")
    ffprobe: Path | None = Field(None, description="Our own build otherwise.")
    workers: int = Field(1, ge=0, le=64, description="Worker processes started by `hall up`.")
    worker_concurrency: int = Field(
        2, ge=1, le=64, description="Units that a worker runs at once, unless it is told."
    )
    drain_s: int = Field(
        120, ge=0, le=4 * 3600, description="A worker that stops finishes its units for so long."
    )
    ffmpeg_memory_mb: int = Field(
        3072, ge=64, description="An ffmpeg that takes more memory than this is ended."
    )

    av1: bool = Field(
        default=False,
        description="Add AV1 renditions to uploads once their H.264 ones are published.",
    )

    # -- Automatic captions ----------------------------------------------------------------------
    captions_model: Path | None = Field(
        None, description="Folder of a speech model (sherpa-onnx); automatic captions are off else."
    )
    captions_language: str = Field(
        "zh",
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$",
        description="Language spoken in the lectures, told to the model; it never guesses.",
    )

    # -- Sign-in through a provider (OpenID Connect) ---------------------------------------------
    oidc_issuer: str | None = Field(
        None, max_length=255, description="https://... of the sign-in provider; off when unset."
    )
    oidc_client_id: str | None = Field(None, description="Our name at the provider.")
    oidc_client_secret: SecretStr | None = None
    oidc_client_secret_file: Path | None = Field(
        None, description="File that holds the client secret, instead of HALL_OIDC_CLIENT_SECRET."
    )
    oidc_label: str = Field(
        "统一身份认证", min_length=1, max_length=40, description="Its name on the sign-in page."
    )
    oidc_scopes: str = Field(
        "openid profile", pattern=r"^[!-~]+( [!-~]+)*$", description="Scopes to ask for."
    )
    oidc_match: Literal["staff_no", "phone", "login"] = Field(
        "staff_no", description="What of an account the claim is compared with."
    )
    oidc_claim: str | None = Field(
        None,
        description="Claim that names the member: employee_number, phone_number or "
        "preferred_username by default, after HALL_OIDC_MATCH.",
    )
    oidc_policy: Literal["link", "create"] = Field(
        "link", description="link: only members of the roster; create: new members, too."
    )

    # -- Log -------------------------------------------------------------------------------------
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_style: Literal["console", "json"] = "console"

    @field_validator("trusted_proxies", "rtc_public_ips", "ice_servers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return split_list(value) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(part, strict=False)) for part in value)

    @field_validator("rtc_public_ips")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_address(part)) for part in value)

    @field_validator("rtc_ports")
    @classmethod
    def _is_range(cls, value: str | None) -> str | None:
        if value is not None:
            first, _, last = value.partition("-")
            if not (
                first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= MAX_PORT
            ):
                raise ValueError("give FIRST-LAST, e.g. 50000-50199")
        return value

    @field_validator("vod_listen", "streamer_listen")
    @classmethod
    def _are_listeners(cls, value: str | None) -> str | None:
        for part in split_addresses(value or ""):
            scheme, _, rest = part.partition(":")
            if not (scheme == "unix" and rest) and not (scheme == "tcp" and _is_host_port(rest)):
                raise ValueError("give unix:PATH or tcp:HOST:PORT")
        return value

    @field_validator("metrics_bind")
    @classmethod
    def _is_bindable(cls, value: str | None) -> str | None:
        if value is not None and not _is_host_port(value):
            raise ValueError("give HOST:PORT, e.g. 127.0.0.1:9100")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, value: str | None) -> str | None:
        if value is not None and not is_safe_issuer(value):
            raise ValueError("give https://..., or http:// on this machine; no query")
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def _asks_openid(cls, value: str) -> str:
        if "openid" not in value.split(" "):
            raise ValueError("openid must be among them")
        return value

    @field_validator("data", "run_dir", "inbox", "captions_model", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().resolve()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("HALL_TLS_CERT and HALL_TLS_KEY go together")
        if self.internal_bind and self.internal_secret is None:
            raise ValueError("HALL_INTERNAL_BIND needs HALL_INTERNAL_SECRET")
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("HALL_OIDC_ISSUER and HALL_OIDC_CLIENT_ID go together")
        if self.oidc_client_secret and self.oidc_client_secret_file:
            raise ValueError(
                "give HALL_OIDC_CLIENT_SECRET or HALL_OIDC_CLIENT_SECRET_FILE, not both"
            )
        if self.blobs_url and not (self.s3_access_key and self.s3_secret_key):
            raise ValueError("HALL_BLOBS_URL needs HALL_S3_ACCESS_KEY and HALL_S3_SECRET_KEY")
        return self

    # -- Derived ---------------------------------------------------------------------------------
    @property
    def sockets(self) -> Path:
        """Folder of the private sockets: in the data folder, or a short one under /tmp."""
        if self.run_dir is not None:
            return self.run_dir
        inside = self.data / "run"
        if len(str(inside)) <= MAX_SOCKET_PATH_CHARS - len("/streamer-internal.sock"):
            return inside
        digest = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"hall-{digest}"

    @property
    def vod_address(self) -> str:
        return self.vod_listen or f"unix:{self.sockets / 'vod.sock'}"

    @property
    def streamer_address(self) -> str:
        return self.streamer_listen or f"unix:{self.sockets / 'streamer.sock'}"

    @property
    def gate_socket(self) -> Path:
        """The gate's own private listener, for whoever prepares its cache."""
        return self.sockets / "gate.sock"

    @property
    def vod_internal_address(self) -> str:
        if self.internal_bind:
            return f"tcp:{self.internal_bind}:{self.vod_internal_port}"
        return f"unix:{self.sockets / 'vod-internal.sock'}"

    @property
    def streamer_internal_address(self) -> str:
        if self.internal_bind:
            return f"tcp:{self.internal_bind}:{self.streamer_internal_port}"
        return f"unix:{self.sockets / 'streamer-internal.sock'}"

    @property
    def vod_internal_peer(self) -> str:
        """Where streamer and workers reach vod: ``http://...`` or an address of ours, or a list."""
        return self.internal_url or self.vod_internal_address

    @property
    def streamer_internal_peer(self) -> str:
        return self.streamer_internal_url or self.streamer_internal_address

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data / 'hall.db'}"

    @property
    def broker(self) -> str:
        return self.redis_url or f"redis+socket://{self.sockets / 'valkey.sock'}"

    @property
    def origin(self) -> str:
        """How people reach us, without a final slash."""
        if self.public_url:
            return self.public_url.rstrip("/")
        scheme, default = ("https", 443) if self.tls_cert else ("http", 80)
        host = "localhost" if self.bind in {"127.0.0.1", "0.0.0.0", "::", "::1"} else self.bind  # noqa: S104 - compared, not bound
        return f"{scheme}://{host}" + ("" if self.http_port == default else f":{self.http_port}")

    @property
    def rtmp_url(self) -> str:
        if self.rtmp_public_url:
            return self.rtmp_public_url
        host = self.origin.split("://", 1)[1].rsplit(":", 1)[0]
        return f"rtmp://{host}:{self.rtmp_port}/live"


def split_list(value: str) -> tuple[str, ...]:
    """Split a comma list; no empty parts."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def split_addresses(value: str) -> tuple[str, ...]:
    """Split a comma list of addresses; a comma inside a socket's path does not count."""
    return tuple(part.strip() for part in _NEXT_ADDRESS.split(value) if part.strip())


def is_safe_issuer(url: str, *, may_query: bool = False) -> bool:
    """Tell whether a sign-in provider may be spoken to there: HTTPS, or this very machine."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    is_plain = not parts.fragment and "@" not in parts.netloc and (may_query or not parts.query)
    is_local = parts.scheme == "http" and host in {"localhost", "127.0.0.1", "::1"}
    return bool(host) and is_plain and (parts.scheme == "https" or is_local)


def _is_host_port(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return bool(host) and port.isdigit() and 1 <= int(port) <= MAX_PORT


def load_settings(**overrides: Any) -> Settings:
    """Read ``HALL_*`` from the environment; ``overrides`` win.

    Raises:
        SettingsError: Names every wrong variable, not only the first.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            name = "HALL_" + str(item["loc"][0]).upper() if item["loc"] else "settings"
            problems.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
        raise SettingsError(problems) from error

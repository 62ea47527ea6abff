"""Which addresses a webhook may lead to: never into the house or the net behind it. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from yarl import URL

from kernel.errors import InputError

MAX_URL_CHARS: Final = 2000
_NAT64: Final = IPv6Network("64:ff9b::/96")
_REFUSED_ZH: Final = "请填写以 https:// 开头的公网地址"


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public net; IPv4 inside IPv6 is looked at too."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _find_inner(ip) if isinstance(ip, IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _find_inner(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def parse_target(text: str, *, allow_private: bool) -> URL:
    """Read the address of a receiver.

    Args:
        allow_private: Also http, and addresses that are not public (``HALL_WEBHOOK_PRIVATE``).

    Raises:
        InputError: 422. It is no such address. A name is not resolved here: see ``sender``.
    """
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        raise _refuse("not an address") from error
    if len(text) > MAX_URL_CHARS or any(char <= " " or char == "\x7f" for char in text):
        raise _refuse("too long, or with spaces")
    if url.scheme not in ({"https", "http"} if allow_private else {"https"}):
        raise _refuse("only https")
    if not url.host or not port or url.user or url.password or url.raw_fragment:
        raise _refuse("a host is needed; names, passwords and fragments are not")
    if not allow_private and _is_literal(url.host) and not is_public(url.host):
        raise _refuse("a private address")
    return url


def _is_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refuse(why: str) -> InputError:
    return InputError(f"url: {why}", field="url", status=422, title_zh=_REFUSED_ZH)

"""QR codes of addresses, as SVG and PNG. Pure. No I/O, no clock."""

from __future__ import annotations

import io
from typing import Final

import segno

# ISO/IEC 18004 §5.3.8: four modules of silence around; level M repairs 15 %, enough for print.
BORDER_MODULES: Final = 4
ERROR_LEVEL: Final = "m"
PNG_SCALE_PX: Final = 16  # Per module: 600 px and more, sharp on an A4 notice.
SVG_SCALE: Final = 8


def build_code(url: str) -> segno.QRCode:
    """Encode an address; what WeChat reads is never a Micro QR code."""
    return segno.make_qr(url, error=ERROR_LEVEL, boost_error=False)


def render_svg(url: str) -> bytes:
    out = io.BytesIO()
    build_code(url).save(
        out, kind="svg", scale=SVG_SCALE, border=BORDER_MODULES, light="#fff", nl=False
    )
    return out.getvalue()


def render_png(url: str) -> bytes:
    out = io.BytesIO()
    build_code(url).save(
        out, kind="png", scale=PNG_SCALE_PX, border=BORDER_MODULES, dark="#000", light="#fff"
    )
    return out.getvalue()

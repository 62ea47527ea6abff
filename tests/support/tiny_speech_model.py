"""A speech model of a few kilobytes that the real library loads: it hears low and high tones.

It has the inputs, outputs and metadata of a SenseVoice model as sherpa-onnx reads them. Its one
layer compares the energy of the lower and the upper mel bands: a low tone is 党, a high one 员;
told to listen to English it says ``▁low`` and ``▁high``. ONNX is written by hand (protobuf wire
format), so that no package is needed for it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

MEL_BINS = 80
WINDOW = 7  # Frames that are stacked: 70 ms.
FEATURES = MEL_BINS * WINDOW
TOKENS = (
    "<blk>",
    "<|zh|>",
    "<|NEUTRAL|>",
    "<|Speech|>",
    "<|withitn|>",
    "党",
    "员",
    "▁low",
    "▁high",
)
ZH, EN = 3, 4  # The numbers of the languages in SenseVoice.
FLOAT, INT32 = 1, 6


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def tensor(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    """TensorProto of floats."""
    dims = b"".join(number(1, size) for size in shape)
    return (
        dims
        + number(2, FLOAT)
        + chunk(8, name)
        + chunk(9, struct.pack(f"<{len(values)}f", *values))
    )


def node(kind: str, inputs: Sequence[str], output: str, axis: int | None = None) -> bytes:
    """NodeProto with at most the attribute ``axis``."""
    parts = [chunk(1, name) for name in inputs] + [chunk(2, output), chunk(4, kind)]
    if axis is not None:
        parts.append(chunk(5, chunk(1, "axis") + number(3, axis) + number(20, 2)))
    return b"".join(parts)


def value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """ValueInfoProto; a string is a free dimension."""
    dims = b"".join(
        chunk(1, chunk(2, size) if isinstance(size, str) else number(1, size)) for size in shape
    )
    return chunk(1, name) + chunk(2, chunk(1, number(1, kind) + chunk(2, dims)))


def build_graph() -> bytes:
    count = len(TOKENS)
    weights = [0.0] * (FEATURES * count)
    for feature in range(FEATURES):
        sign = 1 if feature % MEL_BINS < MEL_BINS // 2 else -1
        for low, high in ((5, 6), (7, 8)):
            weights[feature * count + low] = sign / (FEATURES // 2)
            weights[feature * count + high] = -sign / (FEATURES // 2)
    bias = [2.0] + [-1000.0] * 4 + [0.0] * 4  # Silence, where both halves are alike, is blank.
    spoken = [0.0] * (5 * count)
    for language, unknown in ((ZH, (7, 8)), (EN, (5, 6))):
        for token in unknown:
            spoken[language * count + token] = -1000.0
    prompt = [0.0] * (4 * count)
    for place in range(4):
        prompt[place * count + place + 1] = 1.0  # Language, mood, event, punctuation.
    return b"".join(
        [
            chunk(1, node("MatMul", ["x", "weights"], "sums")),
            chunk(1, node("Add", ["sums", "bias"], "scores")),
            chunk(1, node("Gather", ["spoken", "language"], "told", axis=0)),
            chunk(1, node("Add", ["scores", "told"], "heard")),
            chunk(1, node("Concat", ["prompt", "heard"], "logits", axis=1)),
            chunk(2, "tiny"),
            chunk(5, tensor("weights", (FEATURES, count), weights)),
            chunk(5, tensor("bias", (count,), bias)),
            chunk(5, tensor("spoken", (5, count), spoken)),
            chunk(5, tensor("prompt", (1, 4, count), prompt)),
            chunk(11, value("x", FLOAT, ("N", "T", FEATURES))),
            chunk(11, value("x_length", INT32, ("N",))),
            chunk(11, value("language", INT32, ("N",))),
            chunk(11, value("text_norm", INT32, ("N",))),
            chunk(12, value("logits", FLOAT, ("N", "L", count))),
        ]
    )


def build_model() -> bytes:
    """ModelProto, the metadata last as exporters write it."""
    metadata = {
        "model_type": "sense_voice_ctc",
        "vocab_size": len(TOKENS),
        "blank_id": 0,
        "lfr_window_size": WINDOW,
        "lfr_window_shift": 6,
        "normalize_samples": 0,
        "with_itn": 14,
        "without_itn": 15,
        "lang_auto": 0,
        "lang_zh": ZH,
        "lang_en": EN,
        "lang_yue": 7,
        "lang_ja": 11,
        "lang_ko": 12,
        "neg_mean": ",".join(["0"] * FEATURES),
        "inv_stddev": ",".join(["1"] * FEATURES),
    }
    return b"".join(
        [
            number(1, 8),  # IR version
            chunk(7, build_graph()),
            chunk(8, chunk(1, "") + number(2, 13)),  # Operators of opset 13.
            *(chunk(14, chunk(1, key) + chunk(2, str(item))) for key, item in metadata.items()),
        ]
    )


def write_model(folder: Path) -> Path:
    """Write ``model.onnx`` and ``tokens.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(build_model())
    lines = [f"{token} {place}\n" for place, token in enumerate(TOKENS)]
    (folder / "tokens.txt").write_text("".join(lines), "utf-8")
    return folder

"""The program that holds the model: run as a process of its own, it can be limited and killed.

``python -I child.py KIND MODEL TOKENS LANGUAGE THREADS SOUND PIECES OUTPUT``

``PIECES`` is a JSON list of ``[start_ms, end_ms]``; ``OUTPUT`` gets one JSON line per piece,
``{"tokens": [...], "starts_s": [...]}``, and is opened when the model stands. Progress is printed
as ffmpeg prints it. It imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from array import array
from pathlib import Path
from typing import Any

SAMPLE_RATE_HZ = 16_000
FULL_SCALE = 32_768


def open_recognizer(kind: str, model: str, tokens: str, language: str, threads: int) -> Any:
    """Load the model; the library ends the process itself when it is none."""
    import sherpa_onnx

    common = {"tokens": tokens, "num_threads": threads, "provider": "cpu"}
    if kind == "sense_voice":
        return sherpa_onnx.OfflineRecognizer.from_sense_voice(
            model=model,
            language=language,  # Told, never "auto": a wrong guess makes nonsense of an hour.
            use_itn=True,  # With punctuation, and numbers in digits.
            **common,
        )
    return sherpa_onnx.OfflineRecognizer.from_paraformer(paraformer=model, **common)


def read_samples(sound: Path, start_ms: int, end_ms: int) -> array[float]:
    """Read a piece as floats in [-1, 1)."""
    per_ms = SAMPLE_RATE_HZ // 1000
    with sound.open("rb") as source:
        source.seek(start_ms * per_ms * 2)
        data = source.read((end_ms - start_ms) * per_ms * 2)
    whole = array("h", data[: len(data) // 2 * 2])
    return array("f", (value / FULL_SCALE for value in whole))


def main(arguments: list[str]) -> int:
    """Transcribe every piece."""
    kind, model, tokens, language, threads, sound, pieces, output = arguments
    recognizer = open_recognizer(kind, model, tokens, language, int(threads))
    with Path(output).open("w", encoding="utf-8") as target:
        for start_ms, end_ms in json.loads(Path(pieces).read_text("ascii")):
            stream = recognizer.create_stream()
            stream.accept_waveform(SAMPLE_RATE_HZ, read_samples(Path(sound), start_ms, end_ms))
            recognizer.decode_stream(stream)
            result = stream.result
            line = {"tokens": list(result.tokens), "starts_s": list(result.timestamps)}
            target.write(json.dumps(line, ensure_ascii=True) + "\n")
            sys.stdout.write(f"out_time_us={end_ms * 1000}\nprogress=continue\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

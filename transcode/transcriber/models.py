"""Which speech model lies in a folder, and which languages it knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kernel.errors import EncodeError

ModelKind = Literal["sense_voice", "paraformer"]

TAIL_BYTES: Final = 64 * 1024  # ONNX writes the metadata last.
_NAMES: Final = ("model.int8.onnx", "model.onnx")  # The small one first: it is as good and quicker.
# What each kind can be told: first part of the BCP 47 tag -> the model's word for it.
_LANGUAGES: Final[dict[ModelKind, dict[str, str]]] = {
    "sense_voice": {"zh": "zh", "cmn": "zh", "yue": "yue", "en": "en", "ja": "ja", "ko": "ko"},
    "paraformer": {"zh": "zh", "cmn": "zh", "en": "en"},
}
NOT_SET_UP: Final = "没有设置语音识别模型,自动字幕没有启用(HALL_CAPTIONS_MODEL)"


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """Files of one model. Both kinds write simplified characters, SenseVoice with punctuation."""

    kind: ModelKind
    name: str
    model: Path
    tokens: Path

    def choose_language(self, tag: str) -> str:
        """Translate a BCP 47 tag into the model's own word.

        Raises:
            EncodeError: Permanent: it does not know the language.
        """
        known = _LANGUAGES[self.kind]
        word = known.get(tag.partition("-")[0].casefold())
        if word is None:
            raise EncodeError(
                f"{self.name} knows {sorted(known)}, not {tag!r}",
                permanent=True,
                title_zh=f"现在的语音识别模型不支持这种语言({tag})",
            )
        return word


def find_model_blocking(folder: Path | None) -> SpeechModel:
    """Look what the folder holds: ``model.onnx`` or ``model.int8.onnx``, and ``tokens.txt``.

    Raises:
        EncodeError: Permanent, with a sentence: nothing is set up, or it is no model we know.
    """
    if folder is None:
        raise EncodeError("HALL_CAPTIONS_MODEL is not set", permanent=True, title_zh=NOT_SET_UP)
    model = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    tokens = folder / "tokens.txt"
    if model is None or not tokens.is_file():
        raise _refuse(f"{folder} holds no {' or '.join(_NAMES)} with tokens.txt")
    kind = _recognise(_read_tail(model))
    if kind is None:
        raise _refuse(f"{model} is neither a SenseVoice nor a Paraformer model")
    return SpeechModel(kind, folder.name, model, tokens)


def _read_tail(model: Path) -> bytes:
    with model.open("rb") as source:
        size = source.seek(0, 2)
        source.seek(max(0, size - TAIL_BYTES))
        return source.read(TAIL_BYTES)


def _recognise(tail: bytes) -> ModelKind | None:
    """Tell the kind by the names of the metadata that sherpa-onnx itself reads. Pure."""
    if b"lang_zh" in tail and b"with_itn" in tail:
        return "sense_voice"
    return "paraformer" if b"lfr_window_size" in tail and b"inv_stddev" in tail else None


def _refuse(detail: str) -> EncodeError:
    return EncodeError(
        detail,
        permanent=True,
        title_zh="语音识别模型打不开,请管理员检查 HALL_CAPTIONS_MODEL 所指的文件夹",
    )

"""Rules about the repository itself: words, links, locks, left-overs, import arrows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("hall", "streamer", "transcode", "vod", "kernel")
# DESIGN §10: the field's words, and the ones we do not use for them.
BANNED_WORDS = {
    r"master[_ ]playlist": "multivariant playlist",
    r"\bchunklist\b": "media playlist",
}


BAN_LISTS = {"test_repository.py", "texts.test.ts"}  # They must name what they refuse.


def _sources(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name.endswith(suffixes)]


@pytest.mark.parametrize("word", BANNED_WORDS)
def test_glossary_is_kept(word: str) -> None:
    pattern = re.compile(word, re.IGNORECASE)
    found = [
        str(path.relative_to(ROOT))
        for path in _sources(".py", ".ts", ".vue")
        if path.name not in BAN_LISTS and pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert found == [], f"say {BANNED_WORDS[word]!r}"


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = []
    for path in _sources(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")):
                place = (path.parent / target).resolve()
                if not place.exists():
                    broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_lock_files_pin_hashes_and_name_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "index-url" not in text
        assert "://" not in text
    lock = (ROOT / "player" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved": "http' not in lock


def test_environment_is_read_in_one_place() -> None:
    allowed = {"kernel/config.py"}
    for path in _sources(".py"):
        name = str(path.relative_to(ROOT))
        if name.split("/", maxsplit=1)[0] in {"streamer", "transcode", "vod", "kernel"} - allowed:
            assert "os.environ" not in path.read_text(encoding="utf-8") or name in allowed, name


def test_broad_handlers_live_where_they_may() -> None:
    """HTTP middleware, task wrapper, life-cycle supervisor (STYLE, habit 8)."""
    found = []
    for path in _sources(".py"):
        name = str(path.relative_to(ROOT))
        if name.split("/", maxsplit=1)[0] not in PACKAGES:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.match(r"\s*except( Exception| BaseException)?\s*(as \w+)?:", line):
                found.append(f"{name}:{number}")
    unexplained = [place for place in found if not _is_explained(place)]
    assert unexplained == []


def _is_explained(place: str) -> bool:
    """Each broad handler says on its line, or the one above, why it may be there."""
    name, number = place.split(":")
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    nearby = "\n".join(lines[max(0, int(number) - 2) : int(number) + 8])
    return "log." in nearby or "raise" in nearby or "#" in nearby


def test_import_arrows_hold() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_nothing_is_left_to_be_done() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError|type: ignore(?!\[)")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _sources(".py", ".ts", ".vue")
        if path.parent.name != "meta"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []

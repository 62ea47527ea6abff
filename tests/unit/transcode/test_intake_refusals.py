"""What programs say about a file, in words for a person; what is no verdict stays none."""

from __future__ import annotations

import pytest

from kernel.errors import DependencyError, EncodeError
from transcode.intake.refusals import explain_probe_failure
from transcode.runner import ToolError


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("exit code 1: [mov @ 0x7f] moov atom not found", "没有传完"),
        ("exit code 1: failed to read the initialization vector", "加密"),
        ("exit code 1: Format not on whitelist 'mov'", "暂不支持"),
        ("not finished after 90 s", "异常"),
        ("killed by SIGSEGV: it said nothing", "异常"),
        ("more than 4194304 bytes of output", "不合理"),
        ("exit code 1: Invalid data found when processing input", "无法识别"),
    ],
)
def test_a_bad_file_is_refused_for_good_in_words(said: str, word: str) -> None:
    problem = explain_probe_failure(EncodeError(said), is_local=True)
    assert isinstance(problem, EncodeError)
    assert problem.permanent
    assert word in problem.title


@pytest.mark.parametrize(
    "error",
    [
        EncodeError("cannot start ffprobe: [Errno 11] Resource temporarily unavailable"),
        EncodeError("killed by SIGKILL: it said nothing"),
        ToolError("exit code 1: No space left on device", cause="disk"),
        ToolError("exit code 1: Cannot allocate memory", cause="memory"),
    ],
)
def test_a_machine_in_trouble_says_nothing_about_the_file(error: EncodeError) -> None:
    assert explain_probe_failure(error, is_local=True) is error


def test_a_store_that_does_not_answer_says_nothing_about_the_file() -> None:
    error = EncodeError("exit code 1: HTTP error 503 Service Unavailable")
    assert isinstance(explain_probe_failure(error, is_local=False), DependencyError)
    assert isinstance(explain_probe_failure(error, is_local=True), EncodeError)


def test_a_container_that_cannot_be_read_is_named() -> None:
    problem = explain_probe_failure(
        EncodeError("exit code 1: error reading header"), is_local=True, container="MP4/MOV"
    )
    assert "MP4/MOV" in getattr(problem, "title", "")

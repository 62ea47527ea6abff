"""What a browser test may rely on in the player's pages. Pure: names only, no browser here.

The attributes below are part of the player's contract with the tests; the words are those of the
Chinese texts, which every page shows unless ``?lang=en`` was used.
"""

from __future__ import annotations

from typing import Final

# The class page: <div class="room" data-phase="before|live|interrupted|ending|replay|over">.
CLASS_PHASE: Final = ".room[data-phase='{phase}']"

# The player: <media-controller data-ready="true|false" data-mode="hls|audio|whep">; one <video>.
PLAYER_READY: Final = "media-controller[data-ready='true']"
PLAYER_MODE: Final = "media-controller[data-mode='{mode}']"
MEDIA_ELEMENT: Final = "media-controller video"
LIVE_PILL: Final = ".live-pill"  # "直播 · 慢 1.8 秒" at the edge, "回到直播" behind it.

# The studio: <div data-publisher="idle|connecting|live|reconnecting|failed|closed">.
PUBLISHER_STATE: Final = "[data-publisher='{state}']"

# Buttons by their Chinese names.
OPEN_DEVICES: Final = "打开摄像头和麦克风"
GO_LIVE: Final = "开始直播"
END_CLASS: Final = "结束课程"
CONFIRM_END: Final = "确定下课"
SIGN_IN: Final = "登录"
QUALITY_MENU: Final = "清晰度选择"
AUDIO_ONLY: Final = "只听声音"
ELDER_ON: Final = "长辈版"
ELDER_OFF: Final = "标准版"

# The editors' pages: a row per file, the lecture it became, autosaved captions, the cut.
UPLOAD_FILES: Final = "#upload-files"
UPLOAD: Final = "[data-upload='{state}']"  # waiting|sending|paused|broken|needs_file|done|...
LECTURE_STATE: Final = "[data-lecture-state='{state}']"
CAPTIONS_FILE: Final = "#captions-file"
CUES_SAVED: Final = "[data-save='saved']"
EDIT_STATE: Final = "[data-edit='{state}']"  # none|queued|running|done|failed
WORDS: Final = "media-controller .words"  # What is being said, over the picture.
CAPTIONS_MENU: Final = "字幕选择"

"""Intake of uploads: any bytes become facts about a lecture, or a sentence that says why not."""

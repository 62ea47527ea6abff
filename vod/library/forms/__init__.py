"""Forms of lectures 形式: an editable list; and free tags."""

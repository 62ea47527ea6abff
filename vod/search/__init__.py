"""Search: lectures, series, live classes, instructors and what is said in captions."""

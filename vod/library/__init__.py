"""The course library: forms and tags, papers, films, teachers, venues, review."""

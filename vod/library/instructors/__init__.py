"""The pool of teachers 师资库."""

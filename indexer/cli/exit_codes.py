"""Exit codes of the commands; shell scripts rely on them."""

DONE = 0
STOPPED = 1
"""Stopped on the way by a failing part; the same command resumes."""
CANNOT_START = 2
DONE_WITH_FAILURES = 3
INTERRUPTED = 130

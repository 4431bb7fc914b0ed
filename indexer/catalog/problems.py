"""The exception by which a field says what is wrong with it."""

from __future__ import annotations


class FieldProblem(ValueError):
    """One field of a row cannot be used; the message continues the sentence that the field's name begins."""

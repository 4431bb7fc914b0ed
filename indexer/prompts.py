"""Prompts that labels are put into before a text tower sees them; Radford et al. 2021, section 3.1.4."""

from __future__ import annotations

DEFAULT_TEMPLATE = "a photo of a {}"
SLOT = "{}"
"""Where the label goes in a template."""

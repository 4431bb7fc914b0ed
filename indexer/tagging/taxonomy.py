"""The file that says which attributes there are, which values they have, and by which words the model knows these."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from indexer.errors import ConfigurationError
from indexer.prompts import DEFAULT_TEMPLATE, SLOT

DEFAULT_TAXONOMY = Path(__file__).resolve().parents[2] / "configs" / "taxonomies" / "default.toml"
"""Category, colour, pattern, material and season, in English; shipped beside the profiles."""

_MAX_FILE_BYTES = 1_000_000
_MAX_VALUES = 500
_MAX_PROMPTS = 20_000


def _values(value: Any) -> Any:
    """Words by value: a list of values stands for values that are their own words."""
    if isinstance(value, list):
        value = dict.fromkeys(value)
    if not isinstance(value, dict):
        return value
    return {
        name: [name] if words is None else [words] if isinstance(words, str) else words for name, words in value.items()
    }


def _many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1, max_length=200)]
Texts = Annotated[list[Text], BeforeValidator(_many), Field(min_length=1)]


class Attribute(BaseModel):
    """One attribute.

    Attributes:
        values: words or whole prompts by value; words go into the templates, what has a place of its own (``{}``) is
            no word but a template for the value's name.
        templates: prompts with ``{}`` for a word; empty: those of the taxonomy.
        min_probability: least share against the other values; a picture in which none has as much gets no tag.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: Annotated[dict[Text, Texts], BeforeValidator(_values), Field(min_length=2, max_length=_MAX_VALUES)]
    templates: Annotated[list[Text], BeforeValidator(_many)] = []
    min_probability: float = Field(0.5, ge=0, le=1)


class Taxonomy(BaseModel):
    """Attributes by name.

    Attributes:
        templates: of attributes that have none of their own.
        attributes: names in lower case; a product has the tag ``NAME`` as the field ``tag.NAME``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    templates: Texts = [DEFAULT_TEMPLATE]
    attributes: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")], Attribute], Field(min_length=1, max_length=50)
    ]

    @model_validator(mode="after")
    def _check(self) -> Taxonomy:
        for template in [*self.templates, *(item for own in self.attributes.values() for item in own.templates)]:
            if template.count(SLOT) != 1:
                raise ValueError(f"the template {template!r} must have one {SLOT} for the word")
        if sum(len(prompts) for own in self.attributes for prompts in self.prompts(own).values()) > _MAX_PROMPTS:
            raise ValueError(f"it comes to more than {_MAX_PROMPTS} prompts")
        return self

    def prompts(self, attribute: str) -> dict[str, list[str]]:
        """The prompts of every value of an attribute."""
        own = self.attributes[attribute]
        templates = own.templates or self.templates
        return {
            value: [
                prompt
                for word in words
                for prompt in (
                    [word.replace(SLOT, value)]
                    if SLOT in word
                    else [template.replace(SLOT, word) for template in templates]
                )
            ]
            for value, words in own.values.items()
        }


def read_taxonomy(path: Path) -> Taxonomy:
    """A taxonomy from a TOML, JSON or YAML file, told by its ending.

    Raises:
        ConfigurationError: it cannot be read, or is none; says where it is wrong.
    """
    readers = {".toml": tomllib.loads, ".json": json.loads, ".yaml": yaml.safe_load, ".yml": yaml.safe_load}
    read = readers.get(path.suffix.lower())
    if read is None:
        raise ConfigurationError(
            f"The taxonomy {path} is of no known kind.", f"Let its name end with {', '.join(readers)}."
        )
    try:
        data = path.read_bytes()
        if len(data) > _MAX_FILE_BYTES:
            raise ConfigurationError(f"The taxonomy {path} has {len(data)} bytes.", f"At most {_MAX_FILE_BYTES}.")
        value: Mapping[str, Any] = read(data.decode("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The taxonomy {path} cannot be read: {error.strerror}.", "Name a file.") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:  # UnicodeDecodeError and both JSON's and TOML's
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"The taxonomy {path} cannot be read: {first}.", "Correct the file.") from error
    try:
        return Taxonomy.model_validate(value)
    except ValidationError as error:
        first_error = error.errors()[0]
        where = ".".join(str(part) for part in first_error["loc"]) or "the file"
        raise ConfigurationError(
            f"The taxonomy {path} is wrong at {where}: {first_error['msg']}.", "docs/relevance.md has an example."
        ) from error

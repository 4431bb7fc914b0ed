"""Taxonomy files: read alike in three formats, refused by name where they are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import ConfigurationError
from indexer.tagging.taxonomy import DEFAULT_TAXONOMY, read_taxonomy

GOOD: dict[str, Any] = {
    "templates": ["a {}", "{}"],
    "attributes": {
        "color": {"values": {"red": ["red", "красный"], "blue": None}, "min_probability": 0.7},
        "season": {"values": {"winter": "snow and {}", "summer": "beach"}, "templates": "for {}"},
        "category": {"values": ["mug", "vase"]},
    },
}
TOML = """
templates = ["a {}", "{}"]
[attributes.color]
min_probability = 0.7
values = { red = ["red", "красный"], blue = "blue" }
[attributes.season]
templates = "for {}"
values = { winter = "snow and {}", summer = ["beach"] }
[attributes.category]
values = ["mug", "vase"]
"""
YAML = """
templates: [a {}, "{}"]
attributes:
  color: {min_probability: 0.7, values: {red: [red, красный], blue: }}
  season: {templates: for {}, values: {winter: "snow and {}", summer: beach}}
  category:
    values: [mug, vase]
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_three_formats_say_the_same(tmp_path: Path) -> None:
    yaml = YAML.replace("[a {}, ", '["a {}", ').replace("for {},", '"for {}",')
    read = [
        read_taxonomy(written(tmp_path, name, text))
        for name, text in [("a.toml", TOML), ("a.json", json.dumps(GOOD)), ("a.yaml", yaml), ("a.YML", yaml)]
    ]
    assert read[0] == read[1] == read[2] == read[3]
    taxonomy = read[0]
    assert taxonomy.prompts("color") == {"red": ["a red", "red", "a красный", "красный"], "blue": ["a blue", "blue"]}
    assert taxonomy.prompts("season") == {"winter": ["snow and winter"], "summer": ["for beach"]}
    assert taxonomy.prompts("category")["vase"] == ["a vase", "vase"]
    assert taxonomy.attributes["color"].min_probability == 0.7


def test_the_shipped_one_is_read() -> None:
    taxonomy = read_taxonomy(DEFAULT_TAXONOMY)
    assert set(taxonomy.attributes) == {"category", "color", "pattern", "material", "season"}
    assert "a teal thing" in taxonomy.prompts("color")["turquoise"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.xml", "<a/>", "no known kind"),
        ("a.toml", "templates = [", "cannot be read"),
        ("a.json", "[1", "cannot be read"),
        ("a.yaml", "a: [1", "cannot be read"),
        ("a.yaml", "!!python/object/apply:os.getcwd []", "cannot be read"),
        ("a.json", "[]", "the file"),
        ("a.json", "{}", "attributes"),
        ("a.json", '{"attributes": {"Colour": {"values": ["a", "b"]}}}', "Colour"),
        ("a.json", '{"attributes": {"color": {"values": ["red"]}}}', "color.values"),
        ("a.json", '{"attributes": {"color": {"values": ["a", "b"], "min_probability": 2}}}', "min_probability"),
        ("a.json", '{"attributes": {"color": {"values": ["a", "b"], "template": "{}"}}}', "template"),
        ("a.json", '{"templates": ["a"], "attributes": {"color": {"values": ["a", "b"]}}}', "one {}"),
        ("a.json", '{"attributes": {"color": {"values": {"red": [], "blue": "blue"}}}}', "red"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=r"a\.") as caught:
        read_taxonomy(written(tmp_path, name, text))
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml"):
        read_taxonomy(tmp_path / "none.toml")

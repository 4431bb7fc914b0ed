"""JSON Schema: whether all that one schema takes is taken by another, and what is not.

Of the keywords those are understood that pydantic writes. Another one that the wider schema has must be the same in the
narrower, so that a doubt is told rather than passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Schema = Mapping[str, Any]
Direction = Literal["request", "response"]

_ANNOTATIONS = frozenset({
    "title", "description", "examples", "example", "default", "deprecated", "readOnly", "writeOnly", "discriminator",
    "$comment", "$defs", "$name", "xml", "externalDocs",
})  # fmt: skip
_UNDERSTOOD = frozenset({
    "$ref", "anyOf", "oneOf", "type", "enum", "const", "properties", "required", "additionalProperties", "items",
    "prefixItems", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum",
})  # fmt: skip
_COUNTS = tuple(
    (f"{end}{of}", sign) for end, sign in (("min", 1), ("max", -1)) for of in ("Length", "Items", "Properties")
)
_NUMBERS = (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1))
_TYPE_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_REF_PREFIX = "#/components/schemas/"
_NAME = "$name"
"""Added to a schema that was found by reference."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that the narrower schema takes and the wider one does not.

    Attributes:
        where: the place, such as ``hits[].score``; empty for the whole.
        what: in words that follow it.
    """

    where: str
    what: str


@dataclass(frozen=True)
class SchemaOrder:
    """Compares schemas of two documents.

    In a request every old body must still be taken; in a response every new answer must be one that was described
    before.

    Attributes:
        old, new: the documents' ``components.schemas``.
        direction: which of the two must be the wider.
    """

    old: Mapping[str, Schema]
    new: Mapping[str, Schema]
    direction: Direction
    _under_way: list[tuple[str, str]] = field(default_factory=list, repr=False)

    def refusals(self, old: Schema, new: Schema, where: str = "") -> list[Refusal]:
        """What breaks a program that was written for the old schema; empty if nothing does."""
        if self.direction == "request":
            found = self._compare(old, new, where)
        else:
            found = self._compare(new, old, where)
        return list(dict.fromkeys(found))

    def _compare(self, narrow: Schema, wide: Schema, where: str) -> list[Refusal]:
        narrow_ways, wide_ways = list(self._ways(narrow, 0)), list(self._ways(wide, 1))
        found = [refusal for way in narrow_ways for refusal in self._refused_way(way, wide_ways, where)]
        return found + self._values_gone(narrow_ways, wide_ways, where)

    def _ways(self, schema: Schema, side: int) -> Iterator[Schema]:
        """The schema as alternatives, each of one type or one value.

        Args:
            schema: of either document.
            side: 0: it is the narrower one, 1: the wider one.
        """
        if (reference := schema.get("$ref")) is not None:
            for way in self._ways(self._components(side)[str(reference).removeprefix(_REF_PREFIX)], side):
                yield {_NAME: reference, **way}
            return
        for name in ("anyOf", "oneOf"):
            if name in schema:
                beside = {key: value for key, value in schema.items() if key != name and key not in _ANNOTATIONS}
                for part in schema[name]:
                    for way in self._ways(part, side):
                        yield {**beside, **way}
                return
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if values is not None:
            for value in values:
                yield {"type": _type_of(value), "enum": [value]}
            return
        kinds = schema.get("type")
        if isinstance(kinds, list):
            for kind in kinds:
                yield {**schema, "type": kind}
            return
        yield schema

    def _components(self, side: int) -> Mapping[str, Schema]:
        old_is_narrow = self.direction == "request"
        return self.old if (side == 0) == old_is_narrow else self.new

    def _refused_way(self, way: Schema, wide_ways: Sequence[Schema], where: str) -> list[Refusal]:
        """What none of the alternatives takes; told of the one that comes nearest."""
        nearest: list[Refusal] | None = None
        for wide in wide_ways:
            if not _same_type(way, wide):
                continue
            refused = self._refused_one(way, wide, where)
            if not refused:
                return []
            if nearest is None or len(refused) < len(nearest):
                nearest = refused
        if nearest is not None:
            return nearest
        return [Refusal(where, self._say(f"{_named(way)} is no longer taken", f"may now be {_named(way)}"))]

    def _refused_one(self, narrow: Schema, wide: Schema, where: str) -> list[Refusal]:
        if "enum" in wide:
            if "enum" in narrow and narrow["enum"][0] == wide["enum"][0]:
                return []
            what = _named(narrow)
            return [Refusal(where, self._say(f"{what} is no longer taken", f"may now be {what}"))]
        found = [] if "enum" in narrow else self._bounds(narrow, wide, where)
        if wide.get("type") == "object":
            found += self._named_object(narrow, wide, where)
        elif wide.get("type") == "array":
            found += self._array(narrow, wide, where)
        return found

    def _values_gone(self, narrow: Sequence[Schema], wide: Sequence[Schema], where: str) -> list[Refusal]:
        """In an answer: values that programs may wait for and that never come any more."""
        if self.direction == "request" or any("enum" not in way and way.get("type") == "string" for way in narrow):
            return []
        given = [way["enum"][0] for way in narrow if "enum" in way]
        known = [way["enum"][0] for way in wide if "enum" in way and way["type"] != "null"]
        return [Refusal(where, f"is never {value!r} any more") for value in known if value not in given and given]

    def _bounds(self, narrow: Schema, wide: Schema, where: str) -> list[Refusal]:
        found = []
        for name, sign in _COUNTS:
            if name in wide and (name not in narrow or sign * narrow[name] < sign * wide[name]):
                found.append(name)
        for inclusive, exclusive, sign in _NUMBERS:
            if _limit(wide, inclusive, exclusive, sign) > _limit(narrow, inclusive, exclusive, sign):
                found.append(exclusive if _limit(wide, inclusive, exclusive, sign)[1] else inclusive)
        others = sorted(set(wide) - _UNDERSTOOD - _ANNOTATIONS - {name for name, _ in _COUNTS})
        found += [name for name in others if narrow.get(name) != wide[name]]
        return [self._bound(where, name, narrow, wide) for name in found]

    def _bound(self, where: str, name: str, narrow: Schema, wide: Schema) -> Refusal:
        before, now = (narrow, wide) if self.direction == "request" else (wide, narrow)
        return Refusal(where, f"{name} was {before.get(name, 'not set')!r} and is {now.get(name, 'not set')!r}")

    def _named_object(self, narrow: Schema, wide: Schema, where: str) -> list[Refusal]:
        """As below, but for a schema within itself: what is wrong with that is found where it begins."""
        pair = (narrow.get(_NAME, ""), wide.get(_NAME, ""))
        if not all(pair):
            return self._object(narrow, wide, where)
        if pair in self._under_way:
            return []
        self._under_way.append(pair)
        found = self._object(narrow, wide, where)
        self._under_way.pop()
        return found

    def _object(self, narrow: Schema, wide: Schema, where: str) -> list[Refusal]:
        found = []
        inside, outside = narrow.get("properties", {}), wide.get("properties", {})
        always = set(narrow.get("required", ()))
        for name in wide.get("required", ()):
            if name not in always and (self.direction == "request" or name in inside):
                what = self._say("must now be sent", "is no longer always there")
                found.append(Refusal(_member(where, name), what))
        for name, schema in inside.items():
            found += self._property(name, schema, wide, where)
        if self.direction == "response":
            found += [Refusal(_member(where, name), "was removed") for name in outside if name not in inside]
        return found + self._further(narrow, wide, where)

    def _property(self, name: str, schema: Schema, wide: Schema, where: str) -> list[Refusal]:
        place = _member(where, name)
        if (other := wide.get("properties", {}).get(name)) is not None:
            return self._compare(schema, other, place) + self._default(schema, other, place)
        further = wide.get("additionalProperties")
        if isinstance(further, Mapping):
            return self._compare(schema, further, place)
        if self.direction == "response" and further is not False:
            return []  # something new, which who does not know it passes over
        return [Refusal(place, self._say("was removed", "is new, where nothing new was to be expected"))]

    def _default(self, old: Schema, new: Schema, where: str) -> list[Refusal]:
        """In a request: what is meant where a field is left out."""
        if self.direction == "response" or "default" not in old or old["default"] == new.get("default"):
            return []
        return [Refusal(where, f"left out meant {old['default']!r} and means {new.get('default')!r}")]

    def _further(self, narrow: Schema, wide: Schema, where: str) -> list[Refusal]:
        """Fields beside the named ones. An answer has none that it does not describe."""
        inner = narrow.get("additionalProperties", self.direction == "request" or "properties" not in narrow)
        outer = wide.get("additionalProperties", True)
        if inner is False or outer is True:
            return []
        if outer is False:
            return [Refusal(where, self._say("further fields are no longer taken", "may now have further fields"))]
        return self._compare({} if inner is True else inner, outer, _member(where, "*"))

    def _array(self, narrow: Schema, wide: Schema, where: str) -> list[Refusal]:
        found = []
        first, second = narrow.get("prefixItems", []), wide.get("prefixItems", [])
        for number in range(max(len(first), len(second))):
            inner = first[number] if number < len(first) else narrow.get("items", {})
            outer = second[number] if number < len(second) else wide.get("items", {})
            found += self._compare(inner, outer, f"{where}[{number}]")
        if "items" in wide and narrow.get("items") is not False and not _is_full(narrow):
            inner, outer = narrow.get("items", {}), wide["items"]
            found += self._compare(inner, {"enum": []} if outer is False else outer, f"{where}[]")
        return found

    def _say(self, request: str, response: str) -> str:
        return request if self.direction == "request" else response


def _member(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _is_full(schema: Schema) -> bool:
    """Whether an array is a tuple that has room for nothing more."""
    return "prefixItems" in schema and schema.get("maxItems") == len(schema["prefixItems"])


def _type_of(value: object) -> str:
    return _TYPE_NAMES.get(type(value), "null")


def _same_type(narrow: Schema, wide: Schema) -> bool:
    """Whether the wider schema takes the type at all; one without a type takes any."""
    kind = wide.get("type")
    return kind is None or kind == narrow.get("type") or (kind == "number" and narrow.get("type") == "integer")


def _named(schema: Schema) -> str:
    if "enum" in schema:
        return "null" if schema["enum"][0] is None else repr(schema["enum"][0])
    kind = schema.get("type")
    return "any value" if kind is None else "null" if kind == "null" else f"of type {kind}"


def _limit(schema: Schema, inclusive: str, exclusive: str, sign: int) -> tuple[float, bool]:
    """The stronger of the two limits as something to compare; the sign turns upper ones into lower ones."""
    limits = [(-float("inf"), False)]
    if inclusive in schema:
        limits.append((sign * schema[inclusive], False))
    if exclusive in schema:
        limits.append((sign * schema[exclusive], True))
    return max(limits)

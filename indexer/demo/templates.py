"""Sentence patterns of captions, those used in training and those kept back to test with.

A level says what a caption claims: ``type`` alone, with ``colour``, with a ``pattern`` (no colour), ``plain`` (colour
and no pattern), ``figured`` (colour and pattern), ``accent`` (colour, pattern and the pattern's colour).

Slots. English: ``{n}`` noun, ``{ns}`` its plural, ``{c}`` colour, ``{p}`` pattern adjective, ``{t}`` pattern thing
(dots), ``{a}`` accent colour, ``@`` the article a or an, left out before a plural. Russian: ``{n}`` nominative,
``{n_acc}`` accusative, ``{c}`` and ``{c_acc}`` the colour agreeing with them, ``{c_gen}`` for "красного цвета",
``{p}`` a phrase after the noun, ``{q}`` and ``{q_acc}`` an adjective in its place where there is one, ``{pa}`` the
phrase with the accent. Chinese: ``{n}``, ``{m}`` measure word, ``{c}``, ``{cs}`` colour in one character, ``{p}``,
``{a}``. Vietnamese: ``{n}``, ``{cl}`` classifier, ``{c}``, ``{p}``, ``{a}``.
"""

from __future__ import annotations

from typing import Literal

from indexer.demo.words import Language

Level = Literal["type", "colour", "pattern", "plain", "figured", "accent"]
LEVELS: tuple[Level, ...] = ("type", "colour", "pattern", "plain", "figured", "accent")

Templates = dict[Language, dict[Level, tuple[str, ...]]]

TRAINED: Templates = {
    "en": {
        "type": ("{n}", "@ {n}", "{ns}", "buy @ {n}", "photo of @ {n}", "show me {ns}", "I need @ {n}", "nice {n}"),
        "colour": (
            "{c} {n}",
            "@ {c} {n}",
            "{n} {c}",
            "{n} in {c}",
            "{c} {ns}",
            "buy @ {c} {n}",
            "I am looking for @ {c} {n}",
            "photo of @ {c} {n}",
            "@ {n} of {c} colour",
            "{c} coloured {n}",
            "show me {c} {ns}",
        ),
        "pattern": (
            "{p} {n}",
            "@ {p} {n}",
            "{n} with {t}",
            "@ {n} with {t}",
            "{p} {ns}",
            "buy @ {p} {n}",
            "show me {p} {ns}",
        ),
        "plain": ("{p} {c} {n}", "@ {p} {c} {n}", "{c} {n} without pattern", "{n}, {p} {c}", "buy @ {p} {c} {n}"),
        "figured": (
            "{c} {p} {n}",
            "{p} {c} {n}",
            "@ {c} {p} {n}",
            "@ {c} {n} with {t}",
            "{c} {n} with {t}",
            "{n} in {c} with {t}",
            "buy @ {c} {p} {n}",
            "I am looking for @ {c} {n} with {t}",
            "show me {c} {p} {ns}",
            "{p} {n} {c}",
        ),
        "accent": (
            "{c} {n} with {a} {t}",
            "@ {c} {n} with {a} {t}",
            "{n} in {c} with {a} {t}",
            "{p} {n}, {c} and {a}",
            "buy @ {c} {n} with {a} {t}",
            "@ {p} {n} in {c} and {a}",
            "photo of @ {c} {n} with {a} {t}",
            "{c} and {a} {p} {n}",
            "{c} {n}, {a} {t}",
        ),
    },
    "ru": {
        "type": ("{n}", "купить {n_acc}", "ищу {n_acc}", "фото: {n}", "хочу {n_acc}", "красивая вещь: {n}"),
        "colour": (
            "{c} {n}",
            "{n} {c}",
            "купить {c_acc} {n_acc}",
            "ищу {c_acc} {n_acc}",
            "{n} {c_gen} цвета",
            "{n}, цвет {c_nom}",
            "хочу {c_acc} {n_acc}",
            "нужно купить {n_acc} {c_gen} цвета",
            "фото: {c} {n}",
        ),
        "pattern": ("{n} {p}", "{q} {n}", "купить {n_acc} {p}", "ищу {q_acc} {n_acc}", "хочу {n_acc} {p}"),
        "plain": (
            "{q} {c} {n}",
            "{c} {n} {p}",
            "купить {q_acc} {c_acc} {n_acc}",
            "ищу {c_acc} {n_acc} {p}",
            "{c} {q} {n}",
        ),
        "figured": (
            "{c} {n} {p}",
            "{c} {q} {n}",
            "{n} {p}, {c}",
            "купить {c_acc} {n_acc} {p}",
            "ищу {c_acc} {q_acc} {n_acc}",
            "{n} {c_gen} цвета {p}",
            "{q} {c} {n}",
            "{n} {c} {p}",
            "хочу {c_acc} {n_acc} {p}",
        ),
        "accent": (
            "{c} {n} {pa}",
            "{n} {c} {pa}",
            "купить {c_acc} {n_acc} {pa}",
            "{n} {c_gen} цвета {pa}",
            "ищу {c_acc} {n_acc} {pa}",
            "фото: {c} {n} {pa}",
            "{n} {pa}, {c}",
        ),
    },
    "zh": {
        "type": ("{n}", "一{m}{n}", "买{n}", "我想买一{m}{n}", "好看的{n}", "找{n}"),
        "colour": (
            "{c}{n}",
            "{c}的{n}",
            "一{m}{c}的{n}",
            "{n} {c}",
            "买{c}{n}",
            "我想买一{m}{c}的{n}",
            "{c} {n}",
            "{cs}{n}",
            "找一{m}{c}{n}",
        ),
        "pattern": ("{p}{n}", "{p}的{n}", "一{m}{p}{n}", "买{p}{n}", "{n} {p}", "找{p}的{n}"),
        "plain": ("{p}{c}{n}", "{c}{p}{n}", "一{m}{p}的{c}{n}", "买{c}{p}{n}", "{n} {c} {p}"),
        "figured": (
            "{c}{p}{n}",
            "{p}{c}{n}",
            "{c}的{p}{n}",
            "一{m}{c}{p}{n}",
            "买{c}{p}{n}",
            "带{p}的{c}{n}",
            "{n} {c} {p}",
            "找一{m}{p}的{c}{n}",
            "我想买{c}{p}的{n}",
        ),
        "accent": (
            "带{a}{p}的{c}{n}",
            "{c}{n}，{a}{p}",
            "有{a}{p}的{c}{n}",
            "一{m}带{a}{p}的{c}{n}",
            "{c}底{a}{p}{n}",
            "买带{a}{p}的{c}{n}",
            "{a}{p}{c}{n}",
            "{n} {c} {a}{p}",
        ),
    },
    "vi": {
        "type": ("{n}", "{cl} {n}", "mua {n}", "tôi cần một {cl} {n}", "tìm {n}", "ảnh {n}", "{n} đẹp"),
        "colour": (
            "{n} {c}",
            "{n} màu {c}",
            "{cl} {n} màu {c}",
            "một {cl} {n} màu {c}",
            "mua {n} màu {c}",
            "tìm {n} {c}",
            "{n} có màu {c}",
            "tôi muốn mua {n} màu {c}",
            "ảnh {n} màu {c}",
        ),
        "pattern": ("{n} {p}", "{cl} {n} {p}", "mua {n} {p}", "tìm {n} có {p}", "{n} họa tiết {p}", "một {cl} {n} {p}"),
        "plain": (
            "{n} {c} {p}",
            "{n} {p} màu {c}",
            "{n} màu {c} {p}",
            "mua {n} {p} màu {c}",
            "một {cl} {n} màu {c} {p}",
        ),
        "figured": (
            "{n} {c} {p}",
            "{n} màu {c} {p}",
            "{n} {p} màu {c}",
            "{n} màu {c} có {p}",
            "{cl} {n} {p} màu {c}",
            "mua {n} màu {c} {p}",
            "tìm {n} {p} {c}",
            "một {cl} {n} màu {c} có {p}",
            "tôi muốn mua {n} {c} {p}",
        ),
        "accent": (
            "{n} {c} {p} {a}",
            "{n} màu {c} có {p} {a}",
            "{n} màu {c} {p} màu {a}",
            "{cl} {n} {c} {p} {a}",
            "mua {n} màu {c} {p} {a}",
            "một {cl} {n} màu {c} có {p} màu {a}",
            "tìm {n} {c} có {p} {a}",
            "ảnh {n} {c} {p} {a}",
        ),
    },
}
"""What training captions are made from."""

HELD_OUT: Templates = {
    "en": {
        "type": ("where can I buy @ {n}", "looking for {ns}", "one {n} please"),
        "colour": ("I want @ {c} {n}", "{ns} in {c}", "@ {n} that is {c}", "do you have {c} {ns}"),
        "pattern": ("I want @ {p} {n}", "looking for {ns} with {t}", "@ {n} that has {t}"),
        "plain": ("I want @ {p} {c} {n}", "@ {n} in {p} {c}"),
        "figured": ("I want @ {c} {n} with {t}", "looking for {c} {p} {ns}", "@ {p} {n} in {c}"),
        "accent": ("I want @ {c} {n} with {a} {t}", "{ns} in {c} with {a} {t}", "@ {c} {n} that has {a} {t}"),
    },
    "ru": {
        "type": ("где купить {n_acc}", "хочу купить {n_acc}", "покажите {n_acc}"),
        "colour": ("где купить {c_acc} {n_acc}", "покажите {n_acc} {c_gen} цвета", "хочу купить {c_acc} {n_acc}"),
        "pattern": ("хочу купить {n_acc} {p}", "{n} с рисунком: {p}", "покажите {n_acc} {p}"),
        "plain": ("хочу купить {c_acc} {n_acc} {p}", "{n} {c_gen} цвета {p}"),
        "figured": ("хочу купить {c_acc} {n_acc} {p}", "покажите {c_acc} {n_acc} {p}", "ищу {n_acc} {c_gen} цвета {p}"),
        "accent": (
            "хочу купить {c_acc} {n_acc} {pa}",
            "покажите {c_acc} {n_acc} {pa}",
            "ищу {n_acc} {c_gen} цвета {pa}",
        ),
    },
    "zh": {
        "type": ("哪里买{n}", "想要一{m}{n}", "有没有{n}"),
        "colour": ("想要{c}的{n}", "有没有{c}{n}", "{n}要{c}的"),
        "pattern": ("想要{p}的{n}", "有没有{p}{n}"),
        "plain": ("想要{p}的{c}{n}", "有没有{c}{p}{n}"),
        "figured": ("想要{c}的{p}{n}", "有没有{c}{p}的{n}", "有{p}的{c}{n}"),
        "accent": ("想要带{a}{p}的{c}{n}", "有没有{c}底{a}{p}的{n}", "{c}{n}带{a}{p}"),
    },
    "vi": {
        "type": ("mua {n} ở đâu", "tôi muốn một {cl} {n}", "cho xem {n}"),
        "colour": ("tôi muốn một {cl} {n} màu {c}", "cho xem {n} màu {c}", "cần mua {n} {c}"),
        "pattern": ("tôi muốn {n} {p}", "cho xem {n} có {p}"),
        "plain": ("tôi muốn {n} {p} màu {c}", "cho xem {n} {c} {p}"),
        "figured": ("tôi muốn {n} màu {c} có {p}", "cho xem {n} {c} {p}", "cần mua {n} {p} màu {c}"),
        "accent": ("tôi muốn {n} {c} có {p} màu {a}", "cho xem {n} màu {c} {p} {a}", "cần mua {n} {c} {p} {a}"),
    },
}
"""What test captions are made from; no training caption ever is."""

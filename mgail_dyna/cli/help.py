"""The help of a command, made from its dataclass: the flags people use most, then all others in groups.

Flags are named as tyro names them when it reads them. The docstring under a field is its help.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

HELP_ALL = "--help-all"
HELP = ("-h", "--help", HELP_ALL)
WIDEST, NARROWEST = 110, 50
# Columns before the help of a flag; a longer flag stands on a line of its own.
INDENT = 24
# What None means, at the end of a sentence of help.
_WITHOUT = re.compile(r"; None: ([^.;]+)\.")
VALUES = {int: "N", float: "X", Path: "PATH"}


@dataclass(frozen=True)
class Flag:
    """A flag or a positional argument.

    Attributes:
        name: "--plan.length", or how a positional argument is called.
        value: what follows it; empty for a switch and for a positional argument.
        help: what it does.
        default: its value if it is not given, as text; None if there is none to show.
        required: whether it must be given.
        group: name of the nested dataclass that it belongs to; empty for the command's own.
        switch: whether `--no-...` turns it off.
        optional: whether its value can be None.
    """

    name: str
    value: str
    help: str
    default: str | None
    required: bool
    group: str
    switch: bool
    optional: bool

    @property
    def positional(self) -> bool:
        """Whether it has no dashes."""
        return not self.name.startswith("--")

    @property
    def off(self) -> str:
        """The flag that turns a switch off."""
        group, dot, name = self.name.removeprefix("--").rpartition(".")
        return f"--{group}{dot}no-{name}"

    @property
    def expected(self) -> str:
        """What its value must be, in words."""
        one, many = self.value.removesuffix(" ..."), self.value.endswith("...")
        words = {"N": "whole numbers" if many else "a whole number", "X": "numbers" if many else "a number"}
        choices = one.strip("{}").split(",") if one.startswith("{") else [words.get(one, f"a value ({one})")]
        return " or ".join([*choices, *(["none"] if self.optional and one in words else [])])


def flags_of(kind: type[Any], default: Any = None) -> list[Flag]:
    """The flags of a dataclass and of those nested in it, in the order of their fields.

    Args:
        kind: the dataclass.
        default: an instance, whose values are the flags' defaults.
    """
    return list(_flags(kind, default, prefix="", group="", omit=False))


def _flags(kind: type[Any], default: Any, prefix: str, group: str, omit: bool) -> Iterator[Flag]:
    hints, docs = get_type_hints(kind, include_extras=True), docs_of(kind)
    for field in fields(kind):
        hint, marks = _unwrapped(hints[field.name])
        word = next((mark.name for mark in marks if getattr(mark, "name", None) is not None), field.name)
        word = word.replace("_", "-")
        if isinstance(hint, type) and is_dataclass(hint):
            nested = None if default is None else getattr(default, field.name)
            omits = any(str(mark) == "OmitArgPrefixes" for mark in marks)  # holds for all that is nested deeper
            inner = prefix if not word or omit or omits else f"{prefix}{word}."
            yield from _flags(hint, nested, inner, group if not word or omits else word, omit or omits)
            continue
        value = _default(field) if default is None else getattr(default, field.name)
        metavar = next((mark.metavar for mark in marks if getattr(mark, "metavar", None)), _metavar(hint, word))
        positional = any(str(mark) == "Positional" for mark in marks)
        yield Flag(
            name=metavar if positional else f"--{prefix}{word}",
            value="" if positional else metavar,
            help=docs.get(field.name, ""),
            default=None if positional else _shown(value, docs.get(field.name, "")),
            required=value is MISSING,
            group=group,
            switch=hint is bool,
            optional=NoneType in get_args(hint),
        )


def _unwrapped(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(hint) is Annotated:
        return get_args(hint)[0], hint.__metadata__
    return hint, ()


def _default(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _metavar(hint: Any, word: str) -> str:
    """What stands for the value of a flag called `word`; nothing for a switch."""
    if get_origin(hint) in (Union, UnionType):
        return _metavar(next(one for one in get_args(hint) if one is not NoneType), word)
    if get_origin(hint) is Literal:
        return "{" + ",".join(map(str, get_args(hint))) + "}"
    if get_origin(hint) is tuple:
        return f"{_metavar(get_args(hint)[0], word)} ..."
    return word.upper() if hint is str else VALUES.get(hint, "")


def _shown(value: Any, help_text: str) -> str | None:
    """A default as text; None is shown only where the help says what it means."""
    if value is MISSING or value == "" or (value is None and "None" not in help_text):
        return None
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@functools.cache
def _classes(file: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def docs_of(kind: type[Any]) -> dict[str, str]:
    """The docstrings under the fields of a dataclass, inherited ones included, each on one line."""
    docs: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        body = _classes(str(inspect.getsourcefile(one)))[one.__name__].body
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                docs[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return docs


def usage(kind: type[Any], prog: str) -> str:
    """How a command is called: what must be given, and that there are options."""
    flags = flags_of(kind)
    words = [flag.name for flag in flags if flag.positional]
    words += [f"{flag.name} {flag.value}" for flag in flags if flag.required and not flag.positional]
    return " ".join([prog, *words, "[options]"])


def help_text(kind: type[Any], prog: str, default: Any = None, first: Sequence[str] = (), whole: bool = True) -> str:
    """The help of a command.

    Args:
        kind: its dataclass.
        prog: how the user starts it.
        default: an instance with the defaults to show.
        first: names of the flags that come first, without dashes; all of the command's own if empty.
        whole: whether the flags that are not in `first` are listed, too.
    """
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))
    flags = flags_of(kind, default)
    positional = [flag for flag in flags if flag.positional]
    options = [flag for flag in flags if not flag.positional]
    top = [flag for name in first for flag in options if flag.name == f"--{name}"]
    others = [flag for flag in options if flag not in top]
    paragraphs = [" ".join(text.split()) for text in inspect.cleandoc(kind.__doc__ or "").split("\n\n")]
    parts = [
        f"usage: {usage(kind, prog)}",
        *(textwrap.fill(text, width, break_on_hyphens=False) for text in paragraphs),
    ]
    parts.append(_section("Arguments", positional, width))
    parts.append(_section("Most used options" if top else "Options", top or [f for f in others if not f.group], width))
    if top and not whole:
        parts.append(f"{len(others)} more options: {prog} {HELP_ALL}")
        return "\n\n".join(filter(None, parts)) + "\n"
    if top:
        parts.append(_section("Other options", [flag for flag in others if not flag.group], width))
    titles = _titles(kind)
    for group in dict.fromkeys(flag.group for flag in others if flag.group):
        parts.append(_section(titles[group], [flag for flag in others if flag.group == group], width))
    return "\n\n".join(filter(None, parts)) + "\n"


def _titles(kind: type[Any]) -> dict[str, str]:
    """The title of every group: the docstring of its dataclass."""
    found: dict[str, str] = {}
    for field in fields(kind):
        hint, _ = _unwrapped(get_type_hints(kind, include_extras=True)[field.name])
        if isinstance(hint, type) and is_dataclass(hint):
            found |= {field.name.replace("_", "-"): " ".join(str(hint.__doc__).split()).rstrip("."), **_titles(hint)}
    return found


def _section(title: str, flags: Sequence[Flag], width: int) -> str:
    lines = [line for flag in flags for line in _lines(flag, width)]
    return "\n".join([*textwrap.wrap(f"{title}:", width), *lines]) if lines else ""


def _lines(flag: Flag, width: int) -> list[str]:
    shown = flag.off if flag.switch and flag.default == "True" else flag.name
    left = f"  {shown} {flag.value}".rstrip()
    said, value = flag.help, flag.default
    if value == "None" and (without := _WITHOUT.search(said)):  # what it means says more than the word
        said, value = _WITHOUT.sub(".", said, count=1), without[1]
    default = "" if value is None or flag.switch else f" (default: {value})"
    # Flags take "none" for Python's None.
    words = re.sub(r"\bNone\b", "none", f"{said}{default}")
    text = textwrap.wrap(words, width - INDENT, break_on_hyphens=False) or [""]
    lines = [f"{'':{INDENT}}{line}" for line in text]
    if len(left) < INDENT - 1:
        return [f"{left:{INDENT}}{text[0]}", *lines[1:]]
    return [left, *lines]

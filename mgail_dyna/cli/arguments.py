"""Arguments of a command, read into a documented dataclass."""

from __future__ import annotations

import contextlib
import difflib
import io
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mgail_dyna import runtime
from mgail_dyna.cli.help import HELP, HELP_ALL, Flag, flags_of, help_text, usage
from mgail_dyna.errors import UserError

if TYPE_CHECKING:
    from mgail_dyna.config.expert import ExpertConfig
    from mgail_dyna.config.imitation import ImitationConfig

Config = TypeVar("Config")

# What other programs and papers call a flag, and its name here; of grouped flags the last part.
SYNONYMS = {
    "lr": "learning-rate",
    "gamma": "discount",
    "batch-size": "batch",
    "gp": "gradient-penalty",
    "hidden-sizes": "hidden",
    "algo": "mode",
    "algorithm": "mode",
    "environment": "env",
    "demos": "demonstrations",
    "num-demos": "demonstrations",
    "timesteps": "env-steps",
    "total-timesteps": "env-steps",
    "num-steps": "env-steps",
    "max-steps": "env-steps",
    "steps": "env-steps",
    "step": "env-steps",
    **dict.fromkeys(("out", "output", "outdir", "out-dir", "output-dir", "log-dir", "save-dir", "name"), "logdir"),
    "n-envs": "num-envs",
    "eval-episodes": "evaluation-episodes",
}
# Least likeness of a flag that is suggested, from 0 to 1: with less, "--bogus" would get "--cost".
NEAR_ENOUGH = 0.65
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# 12,000 and 12_000, as our own output writes numbers and Python does.
_GROUPED_DIGITS = re.compile(r"\d{1,3}([,_]\d{3})+")


def parse(
    kind: type[Config], argv: Sequence[str], *, prog: str, default: Config | None = None, first: Sequence[str] = ()
) -> Config:
    """Reads `argv` into a dataclass. With --help among them it prints the help and leaves with exit code 0.

    The help lists the flags in `first`, and with --help-all every flag. A flag that is given twice is a note.

    Args:
        kind: the dataclass; its fields are the flags, their docstrings the help.
        argv: the arguments, without the command's name.
        prog: how the user starts the command.
        default: values of the flags that are not given.
        first: names of the flags that the help lists first, without dashes.

    Raises:
        UserError: an unknown flag or a value that does not fit.
    """
    if set(HELP) & set(argv):
        print(help_text(kind, prog, default, first, whole=not first or HELP_ALL in argv), end="")
        raise SystemExit(0)
    every = f"all options: {prog} {HELP_ALL if first else '--help'}"
    import tyro  # here, as many mistakes can be reported without it

    argv = _as_tyro_reads(kind, argv)
    errors = io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(errors):
            config, unknown = tyro.cli(
                kind,
                args=list(argv),
                prog=prog,
                return_unknown_args=True,
                **options,
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UserError(_mistake(errors.getvalue(), kind, prog, argv)) from None
    if unknown:
        word = unknown[0].split("=")[0]
        if not word.startswith("-"):
            raise UserError(f"unexpected argument '{word}'; {every}")
        names = [name for flag in flags_of(kind) for name in (flag.name, *([flag.off] if flag.switch else []))]
        raise _unknown_option(word, [*names, "--help"], every)
    for note in _repeated(kind, argv):
        runtime.say(f"note: {note}")
    return config


def _repeated(kind: type[Any], argv: Sequence[str]) -> Iterator[str]:
    """A note on each flag that is given with several values: scripts that add flags rely on the last one, and a user
    may mean all of them."""
    for flag in flags_of(kind):
        values = [] if flag.positional else [" ".join(each) for each in _given(argv, flag)]
        if len(set(values)) > 1:
            count, ignored = len(values), ", ".join(values[:-1])
            yield f"{flag.name} is given {count} times: the last one counts, {values[-1]}, and {ignored} is ignored"


def _given(argv: Sequence[str], flag: Flag) -> list[list[str]]:
    """What follows a flag, up to the next one, each time that it is given; of a switch its own name."""
    words = [part for word in argv for part in (word.split("=", 1) if word.startswith("--") else [word])]
    names = (flag.name, flag.off) if flag.switch else (flag.name,)
    return [
        [word] if flag.switch else list(itertools.takewhile(lambda word: not word.startswith("--"), words[place + 1 :]))
        for place, word in enumerate(words)
        if word.startswith("--") and word.replace("_", "-") in names
    ]


def _as_tyro_reads(kind: type[Any], argv: Sequence[str]) -> list[str]:
    """`argv` with 10000 in place of 1e4, 10,000 and 10_000 behind flags that take a whole number, and None for none."""
    flags = {flag.name: flag for flag in flags_of(kind)}
    words = list(argv)
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if equals and name in flags:
            words[i] = f"{name}={_value(value, flags[name])}"
        elif i and words[i - 1] in flags:
            words[i] = _value(word, flags[words[i - 1]])
    return words


def _value(text: str, flag: Flag) -> str:
    if flag.optional and flag.value in ("N", "X") and text.lower() == "none":
        return "None"
    return _whole_number(text) if flag.value == "N" else text


def _whole_number(text: str) -> str:
    """A whole number as digits; any other text as it is."""
    if _GROUPED_DIGITS.fullmatch(text):
        return re.sub("[,_]", "", text)
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text


def _unknown_option(word: str, names: Sequence[str], also: str) -> UserError:
    """The error for an unknown flag: by a synonym or by the last part of its name, or with names that look alike."""
    group, _, last = word.removeprefix("--").rpartition(".")
    last = SYNONYMS.get(last, last)
    wanted = f"--{group}.{last}" if group else f"--{last}"
    found = [wanted] if wanted in names else [name for name in names if name.rpartition(".")[2] == last]
    if not found:
        groups = {name.removeprefix("--").rpartition(".")[0] for name in names}
        meant = difflib.get_close_matches(group, groups, n=1) if group else []
        inside = [name for name in names if meant and name.startswith(f"--{meant[0]}.")]
        synonyms = {f"--{other}": f"--{ours}" for other, ours in SYNONYMS.items() if f"--{ours}" in names}
        known = {name: name for name in inside or names} | ({} if inside else synonyms)
        found = list(dict.fromkeys(known[name] for name in _nearest(word, known)))
    if not found:
        return UserError(f"unknown option '{word}'; {also}")
    return UserError(f"unknown option '{word}'; did you mean {' or '.join(found)}? {also}")


def _nearest(word: str, names: Iterable[str]) -> list[str]:
    """The names that are most like `word`, apart from dashes and group: the best one, and what is as good."""
    last = word.removeprefix("--").rpartition(".")[2]

    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, last, name.removeprefix("--").rpartition(".")[2]).ratio()

    best = max(map(likeness, names), default=0.0)
    return [name for name in names if likeness(name) >= max(best - 1e-9, NEAR_ENOUGH)]


def _mistake(report: str, kind: type[Any], prog: str, argv: Sequence[str]) -> str:
    """What tyro's `report` complains about, in the words of our other messages."""
    message = _first_section(report)
    named = {word.strip("'\".,:") for word in message.split()}
    flags = [flag for flag in flags_of(kind) if flag.name in named]
    missing = [flag.name for flag in flags if flag.required]
    if message.startswith("Missing") and missing:
        return f"missing {' and '.join(missing)}; usage: {usage(kind, prog)}"
    if not flags or flags[0].positional:
        return message
    found = (_given(argv, flags[0]) or [[]])[-1]
    return f"{flags[0].name}: expected {flags[0].expected}, found {' '.join(found) or 'nothing'}"


def _first_section(report: str) -> str:
    """The message in tyro's report, which is a title, a rule, the message, a rule and more, or the same in a box.

    On a terminal the report is coloured.
    """
    sections: list[list[str]] = [[]]
    for line in _COLOUR.sub("", report).splitlines():
        text = line.strip(" │")
        if (text and set(text) <= set("-─╭╮╰╯")) or text.startswith("╭"):
            sections.append([])
        elif text:
            sections[-1].append(text)
    # The title comes before the first rule; in a box nothing does.
    return " ".join(sections[1] if len(sections) > 1 else sections[0])


def environment_flags(config: ExpertConfig | ImitationConfig) -> str:
    """The flags that make the environment of `config`, to paste."""
    arguments = "" if config.env_kwargs is None else f" --env-kwargs {shlex.quote(config.env_kwargs)}"
    return f"--env {shlex.quote(config.env)}{arguments}"


def peek(argv: Sequence[str], flag: str) -> str | None:
    """The value of `flag` in `argv`, the last one if there are several; None if it is not there.

    It is read before the other flags are, as their defaults depend on it.
    """
    found = None
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == flag:
            found = value if equals else argv[i + 1] if i + 1 < len(argv) else None
    return found

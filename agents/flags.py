"""Flags of the command line: parsed, and a wrong one told of in a sentence."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace


def parse(
    parser: ArgumentParser, args: Sequence[str], defaults: bool = False
) -> Namespace:
    """Parse; without `defaults` return only what was given.

    Raises:
        ValueError: With one sentence about the first wrong argument.
    """
    plain = [re.sub(r"^--[\w-]+", lambda m: m[0].replace("_", "-"), a) for a in args]
    try:
        return parser.parse_args(plain, defaults=defaults)
    except argparse.ArgumentError as error:
        raise ValueError(_sentence(parser, str(error))) from error


def _sentence(parser: ArgumentParser, message: str) -> str:
    text = " ".join(message.split())
    found = re.match(
        r"Parser key \"([\w.]+)\": Expected a (.+?)\. Got value: (.*)", text
    )
    if not found:  # one of several kinds
        found = re.match(
            r"Parser key \"([\w.]+)\": Does not validate against any .*?Expected a "
            r"<class '(\w+)'>.*Given value: (.*)",
            text,
        )
    if found:
        kinds = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        kinds["dict"] = "a mapping"
        kind = re.search("int|float|bool|dict", found[2])
        what = kinds[kind[0]] if kind else found[2]
        flag = found[1].replace("_", "-")
        return f"--{flag} is {found[3]!r}; it must be {what}"
    unknown = re.match(r"unrecognized arguments: (\S+)", text, re.IGNORECASE)
    if unknown:
        flags = [f for action in parser._actions for f in action.option_strings]
        near = difflib.get_close_matches(unknown[1].split("=")[0], flags, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        return f"unknown argument {unknown[1]!r}: {hint}--help lists all"
    return text

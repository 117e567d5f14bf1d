# SPDX-License-Identifier: Apache-2.0
"""Finds the functions in a C++ file, by braces alone: enough to measure how long they are.

A brace opens a scope (namespace, class), a function, or something inside a function or an
initializer. Only what opens directly in a scope behind a parameter list counts as a function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/'  # comments
    r'|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'  # raw strings
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"  # not the digit separators of 1'000
    r'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.S | re.M)  # the preprocessor's lines
_SCOPE = re.compile(r'\b(namespace|class|struct|union|enum|extern)\b')
_INITIALIZER = re.compile(r'(=|\breturn|,)\s*$')


@dataclass(frozen=True)
class Function:
    """A function with a body."""

    name: str
    line: int  # of its first word
    lines: int  # up to its closing brace


def functions(text: str) -> Iterator[Function]:
    """The functions of a file, outermost only: a lambda belongs to the function it stands in."""
    code = _NOISE.sub(lambda match: "\n" * match.group().count("\n") or " ", text)
    opened: list[tuple[bool, str, int]] = []  # (is a scope, function's name, offset of its first word)
    head = 0  # where the current declaration begins
    for match in re.finditer(r"[{};]", code):
        at, sign = match.start(), match.group()
        if sign == "{":
            declaration = code[head:at]
            inside_scope = all(scope for scope, _, _ in opened)
            kind = _kind(declaration) if inside_scope else "other"
            first = head + len(declaration) - len(declaration.lstrip())
            opened.append((kind == "scope", _name(declaration) if kind == "function" else "", first))
            if kind != "other":
                head = at + 1
        elif sign == "}" and opened:
            scope, name, first = opened.pop()
            if name:
                line = code.count("\n", 0, first) + 1
                yield Function(name, line, code.count("\n", first, at) + 1)
            if scope or name:
                head = at + 1
        elif sign == ";" and all(scope for scope, _, _ in opened):
            head = at + 1


def _kind(declaration: str) -> str:
    """What a brace opens that stands behind `declaration` in a scope."""
    bare = re.sub(r"<[^<>]*>", "", declaration)
    if _INITIALIZER.search(bare):
        return "other"
    parameters = "(" in re.sub(r"\b(?:alignas|requires|decltype|noexcept|explicit|__attribute__)\s*\(", "", bare)
    if parameters and not re.search(r"\)\s*:.*[\w>]\s*$", bare, re.S):
        return "function"
    if parameters:
        return "other"  # a member initializer's brace: Type(int a) : a_{a} {...}
    return "scope" if _SCOPE.search(bare) else "other"


def _name(declaration: str) -> str:
    """The word before the parameter list."""
    found = re.search(r"([\w:~]+|operator\s*\S+?)\s*\(", declaration)
    return found.group(1) if found else "?"

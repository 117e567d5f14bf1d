# SPDX-License-Identifier: Apache-2.0
"""`python3 -m scripts.lint`: the rules of the house that a program can check.

Each rule yields `PATH[:LINE]: what is wrong`. What must be excepted stands in lint_exceptions.txt as
`RULE PATH`; an exception that is no longer needed is an error too, so that the list only shrinks.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.commands import ROOT, CommandFailed, Log
from scripts.cpp_functions import functions
from scripts.steps import Count

MAX_LINES = 500
MAX_TEST_LINES = 600
MAX_FUNCTION_LINES = 60
EXCEPTIONS = Path("scripts/lint_exceptions.txt")
CODE = {".cpp", ".hpp", ".py", ".sh", ".cmake"}
CPP = {".cpp", ".hpp"}


def format_rule(files: list[Path]) -> Iterator[str]:
    """C++ is formatted as .clang-format says (`make format` does it)."""
    code = [file for file in files if file.suffix in CPP]
    shown = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *map(str, code)], capture_output=True, text=True,
                           check=False)
    for name in sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", shown.stderr, re.M))):
        yield f"{name}: is not formatted; run `make format`"
    if shown.returncode and "error: code should be" not in shown.stderr:
        yield f"clang-format-19: {shown.stderr.strip()[:500]}"


def size_rule(files: list[Path]) -> Iterator[str]:
    """A file past 500 lines (tests and fuzz targets: 600) is split along the spec's own nouns."""
    for file in files:
        limit = MAX_TEST_LINES if re.search(r"test|fuzz", file.name) else MAX_LINES
        lines = len(_lines(file))
        if file.suffix in CODE and lines > limit:
            yield f"{file}: has {lines} lines, the limit is {limit}"


def function_rule(files: list[Path]) -> Iterator[str]:
    """No function is longer than 60 lines."""
    for file in files:
        for name, line, lines in _functions(file):
            if lines > MAX_FUNCTION_LINES:
                yield f"{file}:{line}: {name} has {lines} lines, the limit is {MAX_FUNCTION_LINES}"


def licence_rule(files: list[Path]) -> Iterator[str]:
    """Every source file names its licence in its first two lines."""
    for file in files:
        source = file.suffix in CODE or file.name in ("CMakeLists.txt", "Makefile")
        if source and not any("SPDX-License-Identifier: Apache-2.0" in line for line in _lines(file)[:2]):
            yield f"{file}: does not begin with `SPDX-License-Identifier: Apache-2.0`"


def machine_rule(files: list[Path]) -> Iterator[str]:
    """No path of one person's machine."""
    own = re.compile(r"(?<![\w.])/(?:work|farm|root|home/\w+|opt/trixie)/")
    yield from _grep(files, own, "names a path of one machine")


def promise_rule(files: list[Path]) -> Iterator[str]:
    """No words that promise work: an issue does that."""
    words = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
    yield from _grep([file for file in files if file.suffix in CODE], words, "promises work; open an issue instead")


def test_rule(files: list[Path]) -> Iterator[str]:
    """C++ tests run in virtual time and are never switched off."""
    tests = [file for file in files if file.suffix in CPP and re.search(r"test", str(file))]
    yield from _grep(tests, re.compile(r"\bDISABLED_|GTEST_" r"SKIP|\bsleep_(?:for|until)\b|\busleep\("),
                     "a test that sleeps or is switched off")


def layer_rule(files: list[Path]) -> Iterator[str]:
    """A room includes only itself and what its CMakeLists.txt links, directly or through that."""
    rooms = re.findall(r"add_subdirectory\((\S+)\)", Path("src/CMakeLists.txt").read_text(encoding="utf-8"))
    allowed = _links(rooms)

    def room_of(path: Path) -> str | None:
        return next((str(parent) for parent in path.parents if str(parent) in allowed), None)

    for file in files:
        if file.suffix not in CPP or file.parts[0] != "src":
            continue
        own = room_of(Path(*file.parts[1:]))
        for number, line in enumerate(_lines(file), 1):
            found = re.match(r'#include "([^"]+)"', line)
            other = room_of(Path(found.group(1))) if found else None
            if own and other and other not in allowed[own]:
                yield f"{file}:{number}: {own} does not link {other}"


def _links(rooms: list[str]) -> dict[str, set[str]]:
    """For each room: itself, and all rooms that its target reaches. A room's target is its path with `_` for `/`."""
    by_target = {room.replace("/", "_"): room for room in rooms}
    allowed: dict[str, set[str]] = {}
    for room in rooms:  # from the lowest up: what a room links has been seen already, or points upwards
        text = Path("src", room, "CMakeLists.txt").read_text(encoding="utf-8")
        direct = {by_target[name] for name in re.findall(r"periplex::(\w+)", text) if name in by_target}
        allowed[room] = {room}.union(*({other} | allowed[other] for other in direct if other in allowed))
    return allowed


RULES: dict[str, Callable[[list[Path]], Iterator[str]]] = {
    "format": format_rule, "size": size_rule, "function": function_rule, "licence": licence_rule,
    "machine": machine_rule, "promise": promise_rule, "test": test_rule, "layer": layer_rule,
}


def project_files() -> list[Path]:
    """Everything that is or would be committed; without git, everything outside build/."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=False)
    if listed.returncode == 0:
        names = [name.decode() for name in listed.stdout.split(b"\0") if name]
    else:
        names = [str(path) for path in Path().rglob("*") if path.parts[0] not in ("build", ".git")]
    return sorted(path for path in map(Path, names) if path.is_file() and _is_text(path))


def check(log: Log) -> Count:
    """Applies every rule; each is one test."""
    files = project_files()
    count = Count()
    excepted = _exceptions()
    used: set[tuple[str, str]] = set()
    for name, rule in RULES.items():
        wrong = []
        for complaint in rule(files):
            key = (name, re.split(r":", complaint)[0])
            if key in excepted:
                used.add(key)
            else:
                wrong.append(complaint)
        for complaint in wrong:
            log.note(f"{name}: {complaint}")
        count += Count(failed=1) if wrong else Count(passed=1)
    for name, path in sorted(excepted - used):
        log.note(f"{EXCEPTIONS}: `{name} {path}` is not needed any more: remove it")
        count += Count(failed=1)
    return count


def step(log: Log) -> Count:
    """`check` as a plan's step."""
    count = check(log)
    if count.failed:
        raise CommandFailed(f"lint: {count}", count)
    return count


def _exceptions() -> set[tuple[str, str]]:
    lines = (line.partition("#")[0].split() for line in _lines(EXCEPTIONS)) if EXCEPTIONS.exists() else ()
    return {(words[0], words[1]) for words in lines if len(words) == 2}


def _functions(file: Path) -> Iterator[tuple[str, int, int]]:
    """(name, first line, number of lines) of each function in C++ and Python."""
    text = "\n".join(_lines(file))
    if file.suffix in CPP:
        for function in functions(text):
            yield function.name, function.line, function.lines
    elif file.suffix == ".py":
        for node in ast.walk(ast.parse(text, str(file))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1


def _grep(files: list[Path], pattern: re.Pattern[str], what: str) -> Iterator[str]:
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            if found := pattern.search(line):
                yield f"{file}:{number}: {what} ({found.group()})"


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return "corpus" not in path.parts and b"\0" not in file.read(4096)


def main() -> int:
    """Prints what is wrong; an exit status."""
    os.chdir(ROOT)
    log = Log(Path("build/logs/lint.log"))
    count = check(log)
    if count.failed:
        print(log.path.read_text(encoding="utf-8"), end="")
    print(f"lint: {count}")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())

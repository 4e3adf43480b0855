"""The house rules that no linter checks, as functions from a file's text to sentences.

The one rule: a sentence names the file, the line and what to do instead. What a linter can say
(line length, branches, banned calls) is in pyproject.toml, not here.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from sys import version_info

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# A module with this many statements or fewer needs no test file of its own.
TINY_STATEMENTS_MAX = 6

NAMELESS_MODULES = {"utils", "util", "helpers", "helper", "common", "types", "misc"}
BANNED_WORDS = {"quota": "limit or headroom", "credit": "grant or headroom"}
# Neither pattern matches its own text, so this file passes its own check.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|root)/")
REGISTRY_HOSTS = re.compile(
    "|".join(
        host + r"\." + domain
        for host, domain in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "(?:org|com)"),
            ("crates", "io"),
            ("proxy.golang", "org"),
            ("deb.debian", "org"),
            ("maven.apache", "org"),
        ]
    )
)
BARE_TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[[a-z, -]+\]\s+#\s*\S)")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def problems_of_python(path: str, text: str) -> list[str]:
    """What is untidy about one Python file, one sentence each."""
    try:
        tree = ast.parse(text)
    except SyntaxError as problem:
        return [f"{path}:{problem.lineno}: not Python {version_info[0]}.{version_info[1]}."]
    return [
        *problems_of_module(path, text, tree),
        *problems_of_functions(path, tree),
        *problems_of_names(path, tree),
    ]


def problems_of_module(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield f"{path}: {len(lines)} lines, at most {FILE_LINES_MAX}: split it by noun."
    if PurePosixPath(path).stem in NAMELESS_MODULES:
        yield f"{path}: the name says nothing: name the module after what is in it."
    if ast.get_docstring(tree) is None:
        yield f"{path}: no module docstring: say what it is for and its one rule."
    for number, line in enumerate(lines, start=1):
        if BARE_TYPE_IGNORE.search(line):
            yield f"{path}:{number}: say which error is ignored and why, after a second #."


def problems_of_functions(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES_MAX:
            yield (
                f"{path}:{node.lineno}: {node.name} has {length} lines, "
                f"at most {FUNCTION_LINES_MAX}: give its steps names."
            )


def problems_of_names(path: str, tree: ast.Module) -> Iterator[str]:
    for line, name in [(1, PurePosixPath(path).stem), *defined_names(tree)]:
        for word in WORD.findall(name):
            stem = word.lower().removesuffix("s")
            if stem in BANNED_WORDS:
                yield f"{path}:{line}: {name}: say {BANNED_WORDS[stem]}, not {stem}."


def defined_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of all that the file itself names; not what others named."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr


def problems_of_text(path: str, text: str) -> list[str]:
    """Machine paths and registry hosts in any file."""
    return [
        f"{path}:{number}: {found.group()}: the repository names no {what}."
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern, what in (
            (MACHINE_PATHS, "path of one machine"),
            (REGISTRY_HOSTS, "host of a package registry"),
        )
        for found in pattern.finditer(line)
    ]


def mirror_of(path: str) -> str | None:
    """The test file that a source file must have; None when it needs none."""
    parts = PurePosixPath(path).parts
    if parts[0] not in {"farebox", "sidecar", "controller"} or not path.endswith(".py"):
        return None
    if parts[-1] in {"__init__.py", "__main__.py"}:
        return None
    folder = parts[1:-1] if parts[0] == "farebox" else parts[:-1]
    return "/".join(["tests", *folder, f"test_{parts[-1]}"])


def is_tiny(text: str) -> bool:
    """Whether a file is too small to have a test file of its own; imports do not count."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    statements = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return len(statements) <= TINY_STATEMENTS_MAX


def missing_mirrors(sources: dict[str, str], files: set[str], exempt: dict[str, str]) -> list[str]:
    """A sentence for each source without its test file, and for each exemption not needed.

    `sources` maps paths to texts, `files` holds all paths, `exempt` maps a path to the reason.
    """
    wanted = {path: mirror_of(path) for path, text in sources.items() if not is_tiny(text)}
    lacking = {path: test for path, test in wanted.items() if test and test not in files}
    return [
        *(f"{p}: write {test}." for p, test in sorted(lacking.items()) if p not in exempt),
        *(
            f"{p}: has its test or is gone: end its exemption."
            for p in sorted(exempt.keys() - lacking)
        ),
    ]

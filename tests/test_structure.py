"""The structure of the package: which module imports which, lazy imports included."""

from __future__ import annotations

import ast
from pathlib import Path

import ludens

ROOT = Path(ludens.__file__).parent


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a package goes by the name of its folder."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("ludens", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules that stand in the import statements of one, wherever in the file they stand: at the top,
    in a function, for the type checker alone, and in the stub of a package whose names are loaded lazily.
    """
    sources = [path]
    if path.name == "__init__.py" and path.with_suffix(".pyi").exists():
        sources.append(path.with_suffix(".pyi"))
    found = set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:  # in stubs alone, whose imports are relative to their own package
                    base = f"{name}.{base}".rstrip(".")
                for alias in node.names:
                    whole = f"{base}.{alias.name}"
                    found.add(whole if whole in known else base)
    return {each for each in found if each in known and each != name}


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: imports(name, path, known) for name, path in known.items()}


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for node in edges:
        if node not in index:
            visit(node)
    return found


def test_no_modules_import_each_other_in_a_circle():
    assert circles(graph()) == []


def test_circles_are_found_where_there_are_some():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]

"""The fingerprint covers whatever a count may depend on."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from tokenkit.fleet import fingerprint as module

# they say what is wrong with a file, and change no count
TEXT = {"tokenkit.errors", "tokenkit.scenario.document", "tokenkit.scenario.explain"}


def imported(name: str) -> set[str]:
    """Which of our modules the module ``name`` imports from."""
    tree = ast.parse(inspect.getsource(import_module(name)))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {node.module for node in nodes if node.module and node.module.startswith("tokenkit.")}


def test_all_that_counting_uses_goes_in() -> None:
    files = {path for _, path in module.sources()}
    todo, seen = {"tokenkit.fleet.work"}, set[str]()
    while todo:
        name = todo.pop()
        seen.add(name)
        assert Path(inspect.getfile(import_module(name))) in files, name
        if name.startswith("tokenkit.fleet."):
            todo |= imported(name) - seen - TEXT
    assert len(seen) > 20


def test_another_source_is_another_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    module.fingerprint.cache_clear()
    before = module.fingerprint()
    read = Path.read_bytes
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda p: read(p) + b"#" * (p.name == "places.py"))
        module.fingerprint.cache_clear()
        assert module.fingerprint() != before
    module.fingerprint.cache_clear()
    assert module.fingerprint() == before

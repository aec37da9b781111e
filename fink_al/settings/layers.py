"""Settings from YAML files, then environment variables, then arguments; and what is wrong there."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from fink_al.errors import SettingsError
from fink_al.settings.installation import Settings
from fink_al.settings.resources import find_resource, find_setting, read_yaml
from fink_al.settings.variables import KAFKA_PASSWORD, KAFKA_USER, NO_KEYS, PREFIX, TELESCOPE

#: The target whose file has all that another one's does not say.
_LIKE = "like"
#: Keys that two targets must not share.
_OWN_KEYS = ("name", "candidates_topic")
#: Key of `follow_up` that they must not share, either: draws of two targets are independent.
_SEED = "seed"
#: Data sets that a target's file may name, which other files have at the top.
_SETS = ("starting_set", "test_set", "teaching_set")
#: Keys that were a target's before 0.2.
_OF_STREAM = ("dead_letter_topic", "ledger_topic")
#: Name in a target's file.
_NAME = re.compile(r"""^name:\s*["']?([a-z0-9_]+)""", re.MULTILINE)
#: What is to blame (a file, a variable, or nothing for an argument), and its values in sections.
Layer = tuple[str, dict[str, Any]]
#: Keys whose values may be secret.
SECRET = re.compile("password|passwd|secret|token|key|credential|options", re.IGNORECASE)


def load_settings(
    path: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    **overrides: Any,
) -> Settings:
    """Settings of the package, then of the YAML file `path`, the environment and `overrides`.

    The file holds what differs from the package's ``conf/fink_al.yml``. Its `target` is a name or
    a section: a whole target if it has a `name`, else what differs from the package's default.
    Targets and surveys are looked up one by one beside the settings file, then in the package.
    ``taxonomy.yml`` is looked up beside the settings file, then in ``conf/`` of the working
    directory, then in the package.

    Parameters
    ----------
    path : path, optional
        Default: the variable ``FINK_AL_CONFIG``, else ``conf/fink_al.yml`` of the working
        directory, which may be absent.
    environment : mapping of str to str, optional
        Variables.  Default: those of the process; ``{}`` leaves them out.
    **overrides
        Sections or values with the highest priority (``source={"servers": ...}``), merged in.

    Raises
    ------
    SettingsError
        With one sentence that names every wrong key or variable, what was found and what is
        allowed.
    """
    file, layers = layers_of(path, environment=environment, **overrides)
    try:
        return Settings.model_validate(merged(layers))
    except ValidationError as error:
        raise SettingsError(f"{'; '.join(faults(error, layers, file))}.") from None


def config_file(path: str | Path | None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the settings file that :func:`load_settings` reads, which may be absent."""
    variables = os.environ if environment is None else environment
    named = path or variables.get("FINK_AL_CONFIG")
    return Path(named or Path.cwd() / "conf" / "fink_al.yml")


def layers_of(
    path: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    **overrides: Any,
) -> tuple[str, list[Layer]]:
    """Return the settings file, and what :func:`load_settings` merges, from the weakest on.

    Raises
    ------
    SettingsError
        If a file is missing, or cannot be read.
    """
    file, layers = _own_layers(path, environment, overrides)
    named = _named_targets(file, layers)
    if named and isinstance(layers[1][1].get("target"), dict):
        raise SettingsError(
            f"{file}: target is a section, and targets names files: move what it says to "
            "targets/NAME.yml."
        )
    if named and not _is_chosen(layers):
        if len(named) > 1:
            raise SettingsError(
                f"{file}: there are several targets, {', '.join(named)}: name one with --target "
                "or FINK_AL_TARGET."
            )
        layers.insert(2, (str(file), {"target": named[0]}))
    layers = _with_target(layers, file.parent)
    target = merged(layers).get("target")
    if not isinstance(target, dict):
        raise SettingsError(f"{file}: target is missing: name a file of conf/targets.")
    if isinstance(target.get("survey"), str):
        origin, survey = _named("surveys", target["survey"], file.parent)
        layers.insert(0, (origin, {"survey": survey}))
    # A settings file that has families has all of them, as one that was written from settings.
    if not any("families" in layer for _, layer in layers):
        taxonomy = find_setting("taxonomy.yml", file.parent)
        layers.insert(0, (str(taxonomy), {"families": read_yaml(taxonomy)}))
    return str(file), layers


def targets_of(
    path: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    **overrides: Any,
) -> tuple[str, ...]:
    """Return the names of the targets of an installation; empty if it has one that is not listed.

    Parameters
    ----------
    path, environment, overrides
        As for :func:`load_settings`.

    Raises
    ------
    SettingsError
        If a file is missing or cannot be read, or `targets` is no list of names.
    """
    return _named_targets(*_own_layers(path, environment, overrides))


def undecided(
    path: str | Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the names of several targets of which none is chosen; empty if one is.

    Parameters
    ----------
    path, environment
        As for :func:`load_settings`.

    Raises
    ------
    SettingsError
        As for :func:`targets_of`.
    """
    file, layers = _own_layers(path, environment, {})
    named = _named_targets(file, layers)
    return named if len(named) > 1 and not _is_chosen(layers) else ()


def _is_chosen(layers: list[Layer]) -> bool:
    """Tell whether a settings file, a variable or an argument names a target."""
    return any(isinstance(layer.get("target"), str) for _, layer in layers[1:])


def _own_layers(
    path: str | Path | None, environment: Mapping[str, str] | None, overrides: dict[str, Any]
) -> tuple[Path, list[Layer]]:
    """The settings file; layers of the package, of that file, of variables and arguments."""
    variables = os.environ if environment is None else environment
    file = config_file(path, variables)
    is_named = bool(path or variables.get("FINK_AL_CONFIG"))
    own = read_yaml(file) if is_named or file.is_file() else {}
    package = find_resource("conf/fink_al.yml")
    defaults = read_yaml(package)
    if isinstance(own.get("target"), dict) and "name" in own["target"]:
        del defaults["target"]
    # From the weakest to the strongest, each with what is to blame for its values.
    layers = [(str(package), defaults), (str(file), own)]
    given = list(_variables(variables))
    if isinstance(overrides.get("target"), str):
        # A name that is given here stands in the place of a variable's, whose sections change it.
        given = [each for each in given if not isinstance(each[1].get("target"), str)]
        layers.append(("", {"target": overrides["target"]}))
        overrides = {key: value for key, value in overrides.items() if key != "target"}
    return file, [*layers, *given, ("", overrides)]


def _named_targets(file: Path, layers: list[Layer]) -> tuple[str, ...]:
    names = merged(layers).get("targets")
    if names is None:
        return ()
    is_list = isinstance(names, list | tuple) and len(names) > 0
    if not is_list or not all(isinstance(name, str) for name in names):
        raise SettingsError(
            f"{file}: targets: give names of conf/targets in a list, as [a, b] (found "
            f"{_short(names)})."
        )
    if twice := {name for name in names if list(names).count(name) > 1}:
        raise SettingsError(f"{file}: targets: {', '.join(sorted(twice))} is named twice.")
    return tuple(names)


def _variables(variables: Mapping[str, str]) -> Iterable[Layer]:
    for name in sorted(variables.keys() - NO_KEYS):  # FINK_AL_TARGET before its sections
        if name.startswith(PREFIX) and not name.startswith(TELESCOPE):
            value = _value(variables[name])
            for key in reversed(name.removeprefix(PREFIX).lower().split("__")):
                value = {key: value}
            yield name, value


def _value(text: str) -> Any:
    """Value of a variable: null, a list or section in JSON, or text for pydantic to read."""
    if text[:1] in ("[", "{"):
        with suppress(ValueError):  # a regular expression may begin so, too
            return json.loads(text)
    return None if text == "null" else text


def _with_target(layers: list[Layer], beside: Path) -> list[Layer]:
    """`layers` with the file of a target that is named, in place of what stood below its name."""
    named = [i for i, (_, layer) in enumerate(layers) if isinstance(layer.get("target"), str)]
    if not named:
        return layers
    last = named[-1]
    files = _target_files(layers[last][1]["target"], beside, layers[last][0])
    below = [
        (source, {key: value for key, value in layer.items() if key != "target"})
        for source, layer in layers[: last + 1]
    ]
    # Its data sets come before those of all targets, and behind what variables say.
    sets = [(file, {k: values.pop(k) for k in _SETS if k in values}) for file, values in files]
    return [*files, *below[:2], *sets, *below[2:], *layers[last + 1 :]]


def _target_files(name: str, beside: Path, blamed: str) -> list[Layer]:
    """The file of a target, after those of the targets that it is `like`."""
    files: list[Layer] = []
    while name:
        blamed, values = _named("targets", name, beside, blamed)
        if blamed in (file for file, _ in files):
            raise SettingsError(f"{blamed}: {_LIKE}: targets cannot be like each other.")
        inherited = {k: v for k, v in values.items() if not files or k not in _OWN_KEYS}
        if files and isinstance(inherited.get("follow_up"), dict):
            kept = {k: v for k, v in inherited["follow_up"].items() if k != _SEED}
            inherited["follow_up"] = kept
        name = inherited.pop(_LIKE, None)
        sets = {key: inherited.pop(key) for key in _SETS if key in inherited}
        files.insert(0, (blamed, {"target": inherited, **sets}))
    file, values = files[-1]
    _check_name(Path(file), values["target"].get("name"), beside)
    return files


def _check_name(file: Path, name: Any, beside: Path) -> None:
    """Refuse another target's file with the same name: both would share archive and topics."""
    seen: set[str] = set()
    for folder in _folders("targets", beside):
        others = [other for other in sorted(folder.glob("*.yml")) if other.stem not in seen]
        seen.update(other.stem for other in others)
        for other in filter(_is_readable, others):
            # Not read as YAML: what else is wrong in another target's file does not matter here.
            named = _NAME.search(other.read_text("utf-8", "replace"))
            if other != file and named and named[1] == name:
                raise SettingsError(
                    f"{file} and {other} have the same name, {name}: give each target its own."
                )


def _is_readable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.R_OK)


def faults(error: ValidationError, layers: list[Layer], file: str) -> list[str]:
    """Return what is wrong, without values of keys that are unknown or may be secret."""
    problems: list[str] = []
    missing: dict[str, list[str]] = {}
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        key = ".".join(where)
        if problem["type"] == "missing":
            # A section is to be completed in the last file that has it.
            files = [(origin, layer) for origin, layer in layers if origin[: len(PREFIX)] != PREFIX]
            parts = [
                name for name, layer in files if where[:-1] and has(layer, where[:-1]) and name
            ]
            missing.setdefault(parts[-1] if parts else file, []).append(key)
            continue
        origin = next((name for name, layer in reversed(layers) if has(layer, where)), "")
        if not origin.startswith(PREFIX):
            origin = f"{origin}: {key}" if origin and key else origin or key
        if problem["type"] == "extra_forbidden":
            text = _unknown(where)
        else:
            text = problem["msg"].removeprefix("Value error, ").removesuffix(".")
            if key and not isinstance(problem["input"], dict) and not SECRET.search(key):
                text += f" (found {_short(problem['input'])})"
        problems.append(f"{origin}: {text}" if origin else text)
    lacking = [f"{name}: missing: {', '.join(keys)}" for name, keys in missing.items()]
    return lacking + problems


def _unknown(where: list[str]) -> str:
    section: Any = Settings
    for part in where[:-1]:
        fields = getattr(section, "model_fields", None)
        section = fields[part].annotation if fields else _section_in(section)
    known = list(section.model_fields)
    if where[:-1] == ["target"]:
        known.append(f"{_LIKE} (in a file of conf/targets)")
    near = difflib.get_close_matches(where[-1], known, 1)
    text = f"no such key; {'.'.join(where[:-1]) or 'the file'} has: {', '.join(known)}"
    if where[:-1] == ["target"] and where[-1] in _OF_STREAM:
        text += f"; since 0.2 it is the stream's: move it to stream.{where[-1]}"
    elif near:
        text += f"; nearest: {near[0]}"
    if SECRET.search(where[-1]):
        text += f"; credentials come from {KAFKA_USER} and {KAFKA_PASSWORD} only"
    return text


def _section_in(kind: Any) -> Any:
    """Section of which `kind` is a list or a mapping."""
    if hasattr(kind, "model_fields"):
        return kind
    return next(filter(None, map(_section_in, get_args(kind))), None)


def has(layer: Any, where: Sequence[str]) -> bool:
    """Tell whether a layer has the key at `where`."""
    for part in where:
        if not isinstance(layer, dict):
            return True  # inside a list
        if part not in layer:
            return False
        layer = layer[part]
    return True


def _named(kind: str, name: str, beside: Path, blamed: str = "") -> Layer:
    """The file of a target or survey, `beside` the settings file or else the package's."""
    folders = _folders(kind, beside)
    for folder in folders:
        file = folder / f"{name}.yml"
        if file.is_file():
            return str(file), read_yaml(file)
    names = {folder: ", ".join(sorted(f.stem for f in folder.glob("*.yml"))) for folder in folders}
    known = "; ".join(f"{listed} in {folder}" for folder, listed in names.items() if listed)
    raise SettingsError(
        f"{f'{blamed}: ' if blamed else ''}No {kind[:-1]} '{name}'; known: {known}."
    )


def _folders(kind: str, beside: Path) -> list[Path]:
    """Folders of targets or surveys, in the order in which they are searched."""
    return list(dict.fromkeys((beside.absolute() / kind, find_resource(f"conf/{kind}"))))


def merged(layers: list[Layer]) -> dict[str, Any]:
    """Return the values of all layers, the last ones first."""
    values: dict[str, Any] = {}
    for _, layer in layers:
        values = _merge(values, layer)
    return values


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _short(value: Any) -> str:
    text = re.sub(r"[^\s/@,'\"]+@", "***@", repr(value))  # user:password@host
    text = re.sub(r"(://[^\s?'\"]*\?)[^\s'\"]+", r"\1***", text)  # ?token=...
    return text if len(text) < 60 else f"{text[:57]}..."

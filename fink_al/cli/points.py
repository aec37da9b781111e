"""Common parts of the commands on tables of points: reading the table, choosing a feature set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.errors import LightCurveError, SettingsError
from fink_al.settings import FeatureSettings, Settings, load_settings, read_yaml
from fink_al.settings.layers import undecided

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from fink_al.loop import Loop

points_option = click.option(
    "--points", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Table of points: Parquet or CSV, one row a point.",
)  # fmt: skip


def config_option(function: Callable) -> Callable:
    """Add the options that choose an installation: its settings file, and one of its targets."""
    for option in (
        click.option(
            "--target", metavar="NAME", expose_value=False, callback=_choose_target, is_eager=True,
            help="A file of conf/targets.  [default: the settings file's, or FINK_AL_TARGET]",
        ),
        click.option("--config", type=click.Path(path_type=Path), help="Settings file."),
    ):  # fmt: skip
        function = option(function)
    return function


def _choose_target(_: click.Context, __: click.Parameter, name: str | None) -> None:
    # As a variable it comes before the settings file, and jobs that are started inherit it.
    if name is not None:
        os.environ["FINK_AL_TARGET"] = name


subset_option = click.option(
    "--subset", type=click.Choice(["all", "published"]), default="all", show_default=True,
    help="all: every alert; published: those with a fit in every band.",
)  # fmt: skip
alerts_option = click.option(
    "--alerts-per-object",
    type=click.IntRange(min=1),
    help="Largest number of alerts an object.  [default: all]",
)
share_option = click.option(
    "--positive-share",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Leave out positive objects until this share is left: 0.07 is that of a stream. Each "
    "seed leaves out others.  [default: all stay]",
)
seeds_option = click.option(
    "--seeds", default=8, show_default=True, type=click.IntRange(min=1),
    help="Number of random splits of the objects into a training and a test half.",
)  # fmt: skip


def feature_options(function: Callable) -> Callable:
    """Add the options that choose a feature set; the default of each is the target's value."""
    for option in reversed(
        (
            click.option(
                "--feature-set", "name", metavar="NAME|FILE",
                help="sigmoid, early_v1, microlensing_v1, or a YAML file of the keys under "
                "'features' of a target."
                "  [default: the target's]",
            ),
            click.option("--criterion", type=click.Choice(["ewma", "diff"]),
                         help="Must never fall during a rise: ewma, smoothed flux; diff, flux."),
            click.option("--min-data-points", type=int, help="Nights that a fit needs."),
            click.option("--min-rising-points", type=int, help="Rising steps that a fit needs."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def without_data(config: Path | None) -> Settings:
    """Load the settings of a command that needs neither starting set nor test set."""
    return load_settings(config, starting_set=None, test_set=None)


def open_loop(config: Path | None) -> Loop:
    """Open the loop of a command that needs neither starting set nor test set."""
    from fink_al.loop import Loop

    return Loop.open(without_data(config))


def open_loops(config: Path | None) -> tuple[Loop, ...]:
    """Open the loops of all targets, or of the chosen one, as :func:`open_loop` does.

    A target that cannot be opened is named, and left out.
    """
    if not undecided(config):
        return (open_loop(config),)
    from fink_al.loops import Loops

    loops = Loops.open(config, starting_set=None, test_set=None)
    for name, fault in loops.left_out.items():
        click.echo(f"Target '{name}' is left out: {fault}", err=True)
    return loops.running


def with_untaught_estimator(settings: Settings) -> Settings:
    """Return `settings` with the published forest in place of one trained with a teaching set."""
    model = settings.target.model
    if not model.is_taught:
        return settings
    model = model.model_copy(update={"estimator": "random_forest"})
    target = settings.target.model_copy(update={"model": model})
    return settings.model_copy(update={"target": target})


def feature_settings(settings: Settings, name: str | None, **changes: Any) -> FeatureSettings:
    """Return the feature set of the target, a name or a file, with `changes` that are not None."""
    from pydantic import ValidationError

    values = settings.target.features.model_dump()
    if name and Path(name).suffix in (".yml", ".yaml"):
        values = read_yaml(Path(name))
    elif name:
        values["name"] = name
    values |= {key: value for key, value in changes.items() if value is not None}
    try:
        features = FeatureSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"Feature set: {'.'.join(map(str, first['loc']))}: {first['msg']}; "
            f"found {first['input']!r}. Sets: sigmoid, early_v1, microlensing_v1, or a YAML file."
        ) from None
    if unknown := sorted(set(features.bands) - set(settings.survey.bands)):
        raise SettingsError(
            f"Feature set: bands {unknown} are not of survey '{settings.survey.name}', which has "
            f"{list(settings.survey.bands)}."
        )
    try:
        return features.of_survey(settings.survey)
    except ValueError as error:
        raise SettingsError(f"Feature set: {error}.") from None


def make_folder(output: Path, points: Path | None = None, option: str = "--output") -> None:
    """Create the folder of `output`, the file of an `option`, before the work whose result it gets.

    Raises
    ------
    SettingsError
        If it cannot be created, or `output` would replace the table of `points`.
    """
    if points and output.exists() and output.samefile(points):
        raise SettingsError(f"--output {output} is the table of points: name another file.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{option} {output}: its folder cannot be created ({error.strerror})."
        ) from None


@contextmanager
def result(output: Path, option: str = "--output") -> Iterator[Path]:
    """Yield the path to write to; `output`, the file of an `option`, is replaced after the block.

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    from fink_al.storage.local import whole

    try:
        if output.is_symlink() or (output.exists() and not output.is_file()):
            yield output  # such as /dev/stdout, which must not be replaced
        else:
            with whole(output) as partial:
                yield partial
    except OSError as error:
        raise SettingsError(
            f"{option} {output} cannot be written: {error.strerror or error}."
        ) from None


def read_points(file: Path) -> pd.DataFrame | pa.Table:
    """Read the table of points in `file`; identifiers keep their form.

    Raises
    ------
    LightCurveError
        If the file is neither Parquet nor CSV.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    from fink_al.alerts.points import IDENTIFIERS
    from fink_al.identifiers import of_text

    is_csv = file.suffix.lower() == ".csv"
    try:
        if not is_csv:
            return pq.read_table(file)
        table = pd.read_csv(file, dtype=dict.fromkeys(IDENTIFIERS, str))
        return table.assign(**{n: of_text(table[n]) for n in IDENTIFIERS if n in table})
    except Exception as error:  # the two readers raise many kinds
        raise LightCurveError(
            f"{file} cannot be read as {'CSV' if is_csv else 'Parquet'} "
            f"({type(error).__name__}): give a table with one row a point, .parquet or .csv."
        ) from None

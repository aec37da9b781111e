"""``fink-al features``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from fink_al.cli.points import (
    config_option,
    feature_options,
    feature_settings,
    make_folder,
    points_option,
    read_points,
    result,
    without_data,
)

_AT_A_TIME = 20_000


@click.command()
@points_option
@feature_options
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Parquet file for the features, one row an alert.",
)
@config_option
def features(
    points: Path, name: str | None, output: Path, config: Path | None, **changes: Any
) -> None:
    """Compute features of a table of points, without Spark; a missing one is null, with a reason.

    POINTS has the columns alert_id (or objectId: then one alert an object), jd, fid (1 g, 2 r,
    3 i), magpsf and sigmapsf, and may have diffmaglim and isdiffpos. A null magpsf is a
    non-detection. Identifiers must be integers or text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from rich.console import Console
    from rich.progress import track

    from fink_al.alerts.points import light_curves_of_points
    from fink_al.features.feature_set import FeatureSet, extract

    make_folder(output, points)
    settings = without_data(config)
    chosen = FeatureSet.from_settings(feature_settings(settings, name, **changes))
    curves = light_curves_of_points(read_points(points), settings.survey)
    identifier = next(n for n in ("alert_id", "objectId") if n in curves.context.column_names)
    console = Console(stderr=True)
    starts = range(0, len(curves), _AT_A_TIME)
    tables = [
        extract(curves.slice(start, start + _AT_A_TIME), chosen)
        for start in track(starts, "features", console=console, transient=True)
    ]
    table = pa.concat_tables(tables)
    table = table.add_column(0, identifier, curves.context[identifier])
    with result(output) as file, file.open("wb") as sink:  # by its path, pyarrow removes devices
        pq.write_table(table, sink)
    complete = sum(column.null_count == 0 for column in table.columns[1 : 1 + len(chosen.names)])
    click.echo(
        f"{len(table)} alerts, {len(chosen.names)} features ({complete} of them without a gap): "
        f"{output}"
    )

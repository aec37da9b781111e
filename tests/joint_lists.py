"""An installation of several targets, whose lists share objects."""

import numpy as np
import pyarrow as pa
import yaml
from archive_files import put_rows
from simulated_lists import simulated_list

from fink_al.archive.view import OF_TARGET, own
from fink_al.loops import Loops

NAMES = ("early_snia", "mine", "third")


def joint_config(folder, shares=None, same_draws=False):
    """Write settings of three targets, and lists of two of them that share every third object.

    The second target draws by numbers of its own, unless `same_draws`.
    """
    for name in NAMES[1:]:
        file = folder / "targets" / f"{name}.yml"
        file.parent.mkdir(exist_ok=True)
        values = {"like": "early_snia", "name": name, "starting_set": None, "test_set": None}
        values |= {"teaching_set": "data/early_snia/teaching_set.parquet"}
        file.write_text(yaml.safe_dump(values))
    file = folder / "fink_al.yml"
    settings = {"work_dir": str(folder), "targets": list(NAMES), "shares": shares or {"mine": 3}}
    file.write_text(yaml.safe_dump(settings))
    night, rows = simulated_list()
    columns = {name: rows[name] for name in rows.column_names if name not in OF_TARGET}
    n = len(rows)
    for number, name in enumerate(NAMES[:2]):
        is_in = [i % 3 == 0 or i % 2 == number for i in range(n)]
        draw = {}
        if number and not same_draws:
            u = np.random.default_rng(2).random(n)
            draw = {"u": u, "priority": u / rows["pi"].to_numpy()}
        for column in OF_TARGET:
            if column in rows.column_names:
                values = draw[column].tolist() if column in draw else rows[column].to_pylist()
                values = [v if use else None for v, use in zip(values, is_in, strict=True)]
                columns[own(name, column)] = pa.array(values, rows[column].type)
    put_rows(Loops.open(file, environment={}).running[0].archive, night, pa.table(columns))
    return file

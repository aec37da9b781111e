"""Tables handed in as the command does, by settings alone."""

from pathlib import Path
from typing import Any

from fink_al.labels import intake
from fink_al.loop import Loop
from fink_al.settings import Settings


def import_file(settings: Settings, file: Path, **options: Any) -> intake.Intake:
    """Add the labels of `file` to the store of `settings`."""
    loop = Loop.open(settings)
    options.setdefault("rejects", intake.rejects_file(settings.work_dir, file))
    return intake.import_file(loop.labels.store, loop.survey, file, **options)

"""Fixtures that several test files share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real alerts and reference values that lies beside the project on some machines."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data beside the project (../shared/data)")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside():
    """Tests see the settings files only, not the variables of the shell that runs them."""
    with pytest.MonkeyPatch.context() as patch:
        import os

        for name in [n for n in os.environ if n.startswith("FINK_AL_") and n != "FINK_AL_CACHE"]:
            patch.delenv(name)
        yield

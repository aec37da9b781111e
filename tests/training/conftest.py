import pytest
import yaml
from click.testing import CliRunner

from fink_al.settings import find_resource


@pytest.fixture
def run(settings, monkeypatch):
    """Runs a command with these settings and no Kafka; its exit code and output."""
    monkeypatch.setattr(
        "fink_al.kafka.client.FIRST_ANSWER_S", 0.5
    )  # for the audit, which waits for it
    folder = settings.work_dir / "conf"
    (folder / "targets").mkdir(parents=True)
    target = settings.target.model_dump(mode="json")
    (folder / "targets" / "early_snia.yml").write_text(yaml.safe_dump(target))
    listed = yaml.safe_load(find_resource("conf/fink_al.yml").read_text())
    listed |= {"work_dir": str(settings.work_dir), "starting_set": None, "test_set": None}
    listed |= {"source": {"servers": "127.0.0.1:1"}, "sink": {"servers": "127.0.0.1:1"}}
    (folder / "fink_al.yml").write_text(yaml.safe_dump(listed))

    def call(command, *arguments, **variables):
        arguments = [*arguments, "--config", str(folder / "fink_al.yml")]
        env = {"USER": "Ann", "COLUMNS": "40", **variables}
        result = CliRunner().invoke(command, arguments, env=env)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return call

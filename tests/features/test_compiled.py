import os
import time

from fink_al.features import compiled
from fink_al.features.compiled import private_cache


def test_compiled_code_is_kept_in_a_private_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "cache"))
    folder = private_cache()
    assert folder.parent == tmp_path / "cache" / "numba"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_cache() == folder


def test_a_changed_kernel_makes_all_be_compiled_again(tmp_path, monkeypatch):
    # Numba would go on with kernels that call the changed one, as it was.
    for name, text in (("kernel.py", "@compiled\n1"), ("other.py", "1")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "compiled.py"))
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "cache"))
    before = private_cache()
    (tmp_path / "other.py").write_text("2")
    assert private_cache() == before
    (tmp_path / "kernel.py").write_text("@compiled\n2")
    assert private_cache() != before


def test_nothing_is_kept_where_others_can_write(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path))
    assert private_cache()
    for folder in (tmp_path, tmp_path / "numba"):
        folder.chmod(0o770)
        assert private_cache() is None
        assert str(folder) in caplog.records[-1].getMessage()
        folder.chmod(0o700)
    assert private_cache()


def test_nothing_is_kept_where_no_folder_can_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "file" / "cache"))
    assert private_cache() is None


def test_folders_of_other_kernels_go_when_they_were_not_used_for_a_month(tmp_path, monkeypatch):
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path))
    used = private_cache()
    for name, days in (("old", 31), ("recent", 29), (used.name, 31)):
        (used.parent / name / "module").mkdir(parents=True)
        os.utime(used.parent / name, (then := time.time() - days * 86_400, then))
    assert private_cache() == used
    assert {path.name for path in used.parent.iterdir()} == {"recent", used.name}
    assert (used / "module").is_dir()
    assert used.stat().st_mtime > time.time() - 60

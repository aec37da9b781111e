from fink_al.features.compiled import private_cache


def test_compiled_code_is_kept_in_a_private_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "cache"))
    assert private_cache() == tmp_path / "cache" / "numba"
    assert (tmp_path / "cache" / "numba").stat().st_mode & 0o777 == 0o700


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

"""The folder at a path or URI, on whatever file system it lies."""

from __future__ import annotations

import re
from pathlib import Path

from fink_al.storage.folder import Folder
from fink_al.storage.hadoop import HadoopFolder
from fink_al.storage.local import LocalFolder

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):/")


def open_folder(path: str | Path) -> Folder:
    """Folder at `path`.

    Parameters
    ----------
    path : path or str
        A path or ``file:`` URI is a local folder. Another scheme (``hdfs://``, ``s3a://``) is
        reached by Hadoop's client in a Java process.
    """
    scheme = _SCHEME.match(text := str(path))
    if scheme and scheme[1].lower() != "file":
        return HadoopFolder(text)
    if scheme:
        text = re.sub("^/+", "/", text[len("file:") :])
    return LocalFolder(Path(text))

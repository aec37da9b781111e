"""Types of single settings: hosts, topics, addresses, files, numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from fink_al.errors import SettingsError
from fink_al.settings.resources import find_resource

#: Stands for the target's name in the path of a data set.
TARGET = "{target}"


def _servers(text: str) -> str:
    hosts = [host.strip() for host in text.split(",")]
    if not all(re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}", host) for host in hosts):
        raise ValueError("write host:port, several with commas between them")
    return text


def _topic(text: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", text) or text in (".", ".."):
        raise ValueError("Kafka's topic names have 1 to 249 of the letters a-z A-Z 0-9 . _ -")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    return text


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write an address that begins with https:// or http://")
    parts.port  # noqa: B018 (an invalid one is an error)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "leave only scheme, host and path; user and password come from the environment"
        )
    return text


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names`, each of which occurs once."""
    if len(set(names)) < len(names):
        raise ValueError("name each only once")
    return names


def _local(path: object) -> object:
    # Spark and Hadoop read "name:" as a scheme; as a Path it would be a folder called so.
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", str(path)):
        raise ValueError("remote places are not supported: name a local folder, without a scheme")
    if not str(path).strip() or "\0" in str(path) or str(path).startswith("~"):
        raise ValueError("name a folder by its path; ~ is not expanded")
    return path


def _place(text: str) -> str:
    from fink_al.storage.place import REMOTE  # pyarrow takes a while to load

    if not text.strip() or "\0" in text or text.startswith("~"):
        raise ValueError("name a folder by its path; ~ is not expanded")
    if re.match(rf"({'|'.join(REMOTE)}):(?!//)", text):
        raise ValueError("write two slashes behind the scheme: s3a://bucket/folder")
    scheme = text.partition(":")[0] if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:/", text) else ""
    schemes = ", ".join(f"{name}://" for name in REMOTE)
    if scheme not in ("", "file", *REMOTE):
        raise ValueError(f"name a folder by its path, or by a URI of {schemes}")
    parts = urlsplit(text)
    parts.port  # noqa: B018 (an invalid one is an error)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "leave only scheme, bucket or host, and path; who asks comes from the environment"
        )
    if scheme in REMOTE and not (parts.netloc and parts.path.strip("/")):
        raise ValueError("name bucket or name node, and a folder there: hdfs://host:port/folder")
    if scheme in REMOTE and re.search(r"[%\s]", text):
        raise ValueError("name a remote folder without spaces and %")
    return text


def data_file(path: Path) -> Path:
    """A file of data, by its path or else the package's; one of any target as it is."""
    if path.is_file() or TARGET in str(path):  # of which target, only all settings tell
        return path
    try:
        file = find_resource(str(path))
    except SettingsError as error:
        raise ValueError(f"{error} Name a file, or null for none") from None
    if not file.is_file():
        raise ValueError(f"{file} is no file: name one, or null for none")
    return file


Servers = Annotated[str, AfterValidator(_servers)]
TopicName = Annotated[str, AfterValidator(_topic)]
Address = Annotated[str, AfterValidator(_address)]
Pattern = Annotated[str, AfterValidator(_pattern)]
PlaceName = Annotated[str, AfterValidator(_place)]
LocalFolder = Annotated[Path, BeforeValidator(_local)]
DataFile = Annotated[Path, AfterValidator(data_file)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

#: Context columns of the nearest catalogued source, which may be the host, and of the nearest one
#: in the survey's reference image.
HostName = Literal[
    "host_mag", "host_colour_g_r", "host_colour_r_i", "reference_mag",
    "reference_distance_arcsec",
]  # fmt: skip
HOST: tuple[str, ...] = get_args(HostName)

#: Context columns that a feature set may be asked for.
ContextName = Literal[
    HostName,
    "real_bogus", "deep_real_bogus", "classtar", "star_score", "star_distance_arcsec",
    "asteroid_distance_arcsec", "n_detections", "is_positive", "galactic_latitude",
]  # fmt: skip


class Section(BaseModel):
    """Settings that belong together; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

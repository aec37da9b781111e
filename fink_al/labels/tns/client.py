"""Downloads from the Transient Name Server (TNS): one staged file at a time, whole or not at all.

TNS asks for bulk reading by its staged files instead of searches (its help page, "Staging of
objects CSV files"): a POST with the API key as a form field and the marker of a registered bot as
user agent. It answers 429 above so many requests a minute, and its headers say when that ends.
"""

from __future__ import annotations

import json
import os
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

from fink_al.errors import ServiceError, SettingsError
from fink_al.http import HttpClient, HttpError, Unreachable
from fink_al.labels.tables.records import MOST_CSV_BYTES
from fink_al.settings import TNS_API_KEY, TNS_USER_AGENT

TNS_URL = "https://www.wis-tns.org/system/files/tns_public_objects"

#: Size limit of a file; the whole catalogue of 2026 has some ten megabytes, fifty unpacked.
_MAX_BYTES = 1 << 28
_CHUNK = 1 << 16
#: Advice where TNS refuses whatever is asked for.
CHECK_KEY = (
    f"Compare {TNS_API_KEY} and {TNS_USER_AGENT} with the page of your bot at TNS; if both are "
    "right, ask TNS whether it blocks this bot or this machine."
)
_LATER = "Run the command again later; what was fetched is kept."


class TnsError(ServiceError):
    """A failure of TNS after which no other file can be had in this run."""


class FileRefused(TnsError):
    """A file that TNS does not send; other files are independent of it.

    Attributes
    ----------
    is_forbidden : bool
        True if the answer was 403: all files alike if the key or the marker is wrong.
    """

    def __init__(self, text: str, is_forbidden: bool):
        super().__init__(text)
        self.is_forbidden = is_forbidden


class TnsClient:
    """Fetches staged files until its time is over.

    Parameters
    ----------
    url : str, optional
        Folder of the files; plain http for this machine only.
    environment : mapping of str to str, optional
        Has the API key and the user agent.  Default: the variables of the process.
    seconds : float, optional
        Time limit of all downloads together, waits included.
    sleep : callable, optional
        Waits for seconds.

    Raises
    ------
    SettingsError
        If the address, the API key or the user agent is invalid.
    """

    def __init__(
        self,
        url: str = TNS_URL,
        *,
        environment: Mapping[str, str] | None = None,
        seconds: float = 1800.0,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._key, agent = _credentials(os.environ if environment is None else environment)
        self._http = HttpClient(url, {"User-Agent": agent}, secret=TNS_API_KEY, sleep=sleep)
        self._until = time.monotonic() + seconds

    def download(self, name: str, to: Path) -> date | None:
        """Write the file `name` to the path `to`; return its day, or None if TNS has no such file.

        A file that was written is checked to its last byte.

        Raises
        ------
        FileRefused
            If TNS refuses this file, or sends no valid one after several attempts.
        TnsError
            If TNS refuses the API key or cannot be reached, or the time is over.
        ServiceError
            If the file cannot be written.
        """

        def save(parts: Iterator[bytes]) -> date:
            _write(parts, to)
            return covered_day(to)

        try:
            return self._http.fetch(
                name, save, until=self._until, most_bytes=_MAX_BYTES, form={"api_key": self._key}
            )
        except Unreachable as error:
            raise TnsError(f"TNS request to {self._http.url} failed: {error}. {_LATER}") from None
        except HttpError as error:
            if error.status == 404:
                return None
            if error.status == 401:
                raise TnsError(f"TNS refused the API key: {error}. {CHECK_KEY}") from None
            raise FileRefused(
                f"TNS request for {name} failed: {error}. {_LATER}", error.status == 403
            ) from None


def _write(parts: Iterator[bytes], to: Path) -> None:
    try:
        with to.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ServiceError(f"Cannot write {to}: {error.strerror}.") from None


def covered_day(file: Path) -> date:
    """Return the day, UTC, on which the time that `file` covers begins, and check the whole file.

    The first line is ``2026-01-05 00:00:00`` in the full catalogue, which holds all changes until
    that time, and ``2026-01-05 00:00:00 - 23:59:59`` in the changes of a day; likewise of an hour.

    Raises
    ------
    ValueError
        If it is damaged, or not one of TNS's files.
    """
    try:
        with zipfile.ZipFile(file) as parts:
            (part,) = parts.infolist()
            if part.file_size > MOST_CSV_BYTES:
                raise ValueError
            with parts.open(part) as lines:
                first = lines.readline(100)
                while lines.read(_CHUNK):  # to the end, where the checksum is compared
                    pass
        return date.fromisoformat(first.lstrip(b'\xef\xbb\xbf"')[:10].decode("ascii"))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
        raise ValueError("not a whole zip file of a TNS table") from None


def _credentials(environment: Mapping[str, str]) -> tuple[str, str]:
    key, agent = (environment.get(name, "").strip() for name in (TNS_API_KEY, TNS_USER_AGENT))
    missing = [name for name, value in ((TNS_API_KEY, key), (TNS_USER_AGENT, agent)) if not value]
    if missing:
        raise SettingsError(
            f"The environment lacks {' and '.join(missing)}: export the API key of your bot at TNS "
            "and its user agent, both as its page there shows them."
        )
    marker = re.fullmatch(r"tns_marker(\{[ -~]*\})", agent)
    try:
        fields = json.loads(marker[1]) if marker else {}
    except ValueError:
        fields = {}
    if not {"tns_id", "type", "name"} <= fields.keys():
        raise SettingsError(
            f"{TNS_USER_AGENT} is not a marker of TNS; copy it from the page of your bot there: "
            'tns_marker{"tns_id": 12345, "type": "bot", "name": "my_bot"}.'
        )
    return key, agent

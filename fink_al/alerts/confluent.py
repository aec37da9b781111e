"""Confluent's wire format: byte 0, the schema's number in four bytes, a record without its schema.

A packet carries only the number of its schema. It is looked up once, nearest first: in files of
this machine, in the cache, in the registry.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fink_al.alerts.schema import canonical, name_of
from fink_al.alerts.schema_files import read_schema
from fink_al.alerts.schema_registry import SchemaRegistry
from fink_al.errors import AlertError
from fink_al.settings import SchemaSource

log = logging.getLogger(__name__)

#: Reason of packets whose schema only the registry has, while it does not answer.
UNAVAILABLE = "schema_unavailable"

#: Bytes before the record: 0, then the schema's number, big-endian.
PREFIX_BYTES = 5


def framed(schema_id: int, body: bytes) -> bytes:
    """Return a message with `body`, a record written with the schema of that number.

    Source: Confluent's documentation of its serializers, "Wire format".
    """
    return b"\x00" + schema_id.to_bytes(PREFIX_BYTES - 1, "big") + body


class Schemas:
    """Writers' schemas by number.

    Parameters
    ----------
    source : SchemaSource
        Places to look in, and the name of the alert's record in each schema.
    cache : Path
        Folder for fetched schemas, with a subfolder for each registry.
    environment : mapping of str to str, optional
        Holds the registry's user and password.  Default: the variables of the process.

    Raises
    ------
    SettingsError
        If the registry's address is invalid.
    """

    def __init__(
        self, source: SchemaSource, cache: Path, environment: Mapping[str, str] | None = None
    ):
        self._source, self._cache = source, cache
        environment = os.environ if environment is None else environment
        self._registry = SchemaRegistry(source.registry, environment) if source.registry else None

    def find(self, number: int) -> str:
        """Return the canonical schema of that number.

        Raises
        ------
        AlertError
            ``unknown_schema``: neither files nor registry have it; ``schema_unavailable``: no file
            has it and the registry does not answer; ``bad_schema``: it cannot be decoded, or
            belongs to another number.
        """
        text = read_schema(self._source, number) or self._kept(number)
        if text is not None:
            return self._checked(number, text)
        if self._registry is None:
            raise AlertError("unknown_schema", f"no file has schema {number}; there is no registry")
        text = self._registry.fetch(number)
        schema = self._checked(number, text)
        self._keep(number, text)
        return schema

    def _checked(self, number: int, text: str) -> str:
        schema = canonical(text)
        if (name := name_of(schema)) != (expected := self._source.name_of(number)):
            detail = f"schema {number} must be {expected}; found {name}"
            raise AlertError("bad_schema", detail[:200])
        return schema

    def _file(self, number: int) -> Path | None:
        return self._cache / self._registry.key / f"{number}.avsc" if self._registry else None

    def _kept(self, number: int) -> str | None:
        if (file := self._file(number)) is None:
            return None
        try:
            text = file.read_text("utf-8")
            self._checked(number, text)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, AlertError) as error:
            log.warning("%s is damaged and is fetched again: %s", file, error)
            return None
        return text

    def _keep(self, number: int, text: str) -> None:
        file = self._file(number)
        assert file is not None
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=file.parent, delete=False
            ) as new:
                new.write(text)
            try:
                Path(new.name).replace(file)
            except OSError:
                with suppress(OSError):
                    Path(new.name).unlink()
                raise
        except OSError as error:
            log.warning("Schema %d is not kept in %s: %s", number, file.parent, error.strerror)

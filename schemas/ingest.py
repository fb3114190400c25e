"""A reading as plain JSON, for senders that do not speak HJ 212: by HTTP, on the topic ``ingest``, format 1.

``docs/ingest.md`` describes it for senders. Numbers keep the decimals they are written with: they are taken from the
JSON text and never become a binary float.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Literal

import msgspec

from schemas import blocks

VERSION = 1

PERIODS = {"hour": blocks.HOUR, "minute": blocks.MINUTE, "realtime": blocks.REALTIME, "day": blocks.DAY}
"""The words of ``period`` and the letters of a block."""

_NAME = re.compile(r"\S(.{0,62}\S)?")
_FLAG = re.compile(r"[A-Za-z0-9]{1,4}", re.ASCII)
_PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_POWER = re.compile(r"-?\d+(\.\d+)?[eE][+-]?\d{1,2}", re.ASCII)


class IngestError(ValueError):
    """A message that is no reading; the text is ``not JSON: …`` or ``field: …``."""


class SentReading(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What one source measured in one period, or at one instant.

    Attributes:
        v: the format, 1.
        source: id of the registry, or the MN there.
        period: hour, minute, realtime or day.
        values: by factor name (``SO2``, ``NOx-Zs``): a number, a decimal text, or null where there is none.
        start: when the period begins, or the instant; ISO 8601, Beijing time unless it says another. Either this …
        end: … or when the period ends, or the instant.
        flags: by factor name: one to four letters as HJ 212 has them; N is normal.
        units: by factor name: a unit of :mod:`schemas.units`.
        version: of two messages about one value that with the later version wins, as texts compare; QN of HJ 212.
        backfilled: sent later than it was due: for statistics, not for alarms of now.
    """

    v: int
    source: str
    period: Literal["hour", "minute", "realtime", "day"]
    values: dict[str, msgspec.Raw]
    start: str | None = None
    end: str | None = None
    flags: dict[str, str] = {}
    units: dict[str, str] = {}
    version: str = ""
    backfilled: bool = False


class _Version(msgspec.Struct):
    v: int


_decoder = msgspec.json.Decoder(SentReading)
_version_of = msgspec.json.Decoder(_Version).decode


def decode(raw: bytes) -> tuple[SentReading, dict[str, str]]:
    """A message, and its values as plain decimal texts, "" where there is none.

    Raises:
        IngestError: not JSON, not of this format, or a field that cannot be used; the text says which and why.
    """
    sent = _decode(raw)
    if (sent.start is None) == (sent.end is None):
        raise IngestError("field: one of start and end must be given, not both")
    for what, name in (("source", sent.source), *(("factor", n) for n in sent.values)):
        if not (_NAME.fullmatch(name) and name.isprintable()):
            raise IngestError(f"field: {what} {name[:64]!r}: one to 64 characters that can be printed")
    if not sent.values:
        raise IngestError("field: values is empty: name at least one factor")
    if len(sent.version) > 64 or not sent.version.isprintable():
        raise IngestError("field: version: at most 64 characters that can be printed")
    for table, names in (("flags", sent.flags), ("units", sent.units)):
        if strange := [name for name in names if name not in sent.values]:
            raise IngestError(f"field: {table} has {strange[0][:64]!r}, values does not: write it there, with null")
    for name, flag in sent.flags.items():
        if not _FLAG.fullmatch(flag):
            raise IngestError(f"field: flag {flag[:64]!r} of {name}: one to four letters or digits")
    return sent, {name: _text(name, bytes(value)) for name, value in sent.values.items()}


def _decode(raw: bytes) -> SentReading:
    try:
        version = _version_of(raw).v  # first: another format may have other fields
        if version != VERSION:
            raise IngestError(f"field: v {version}: this program reads format {VERSION}")
        _refuse_doubles(raw)
        return _decoder.decode(raw)
    except IngestError:
        raise
    except msgspec.ValidationError as error:
        raise IngestError(f"field: {error}") from None
    except RecursionError:
        raise IngestError("not JSON: nested too deep") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise IngestError(f"not JSON: {error}") from None


def plain(text: str) -> str:
    """A number as a plain decimal text with the digits it had: ``1.50e1`` is ``15.0``.

    Raises:
        ValueError: no number, or one of another size than anything that is measured.
    """
    if _PLAIN.fullmatch(text):
        return text
    if _POWER.fullmatch(text):
        return f"{Decimal(text):f}"
    raise ValueError(f"{text[:64]!r} is not a decimal number")


def _text(name: str, raw: bytes) -> str:
    if raw == b"null":
        return ""
    try:
        text = msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else raw.decode()
        return plain(text)
    except (ValueError, msgspec.DecodeError) as error:
        said = error if isinstance(error, ValueError) and not isinstance(error, UnicodeError) else "unreadable"
        raise IngestError(f"value: {name}: {said}: write a number, a decimal text or null") from None


def _refuse_doubles(raw: bytes) -> None:
    """JSON lets a name stand twice and readers keep the last: one of the values would be dropped silently."""

    def unique(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise IngestError(f"field: {name[:64]!r} stands twice")
            seen.add(name)

    json.loads(raw, object_pairs_hook=unique, parse_int=str, parse_float=str)

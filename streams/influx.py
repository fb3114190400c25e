"""InfluxDB 2 as a target of the sink: our own batches, synchronous, each answer looked at.

influxdb-client's batching writer runs in the background and loses data on exit and without exception
(its issues #198, #394, #504), so it is used synchronously. What InfluxDB 2.7.12 answers was measured
(engineering §5) and decides what happens:

| answer | meaning | what is done |
|---|---|---|
| 204 | stored | the offsets may be committed |
| 400 | a line cannot be read, nothing stored | halve until the line is found; it goes to ``dead`` |
| 422 | some lines dropped and only counted, the others stored | the same: writing a point twice is harmless |
| 429, 5xx, time-out, refused | not now | back off with jitter, keep everything in Kafka |
| 5xx for this batch alone | the batch is at fault (broken gzip got a 500) | as 400, once a probe was stored |
| 401, 403, 404, others | token, right, org, bucket or URL | end with one line for a person |
"""

from __future__ import annotations

import email.utils
import gzip
import json
import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlsplit

import urllib3.exceptions
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from schemas.measurements import SINK_PROBE
from streams.target import BadLine, Batch, Busy, SinkError, Stopping

log = logging.getLogger("envstream.influx")

LINES_AT_ONCE = 5_000
_TIMEOUT_MS = 10_000  # 5 000 lines take 15 to 18 ms; ten seconds is a server that is in trouble
_GZIP_LEVEL = 1  # 5 000 lines, 533 kB: level 9 (influxdb-client's) 34 ms for 28 kB, level 1 2 ms for 41 kB
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_LONGEST_RETRY_AFTER_S = 300.0
_TRIES_BEFORE_SUSPECT = 5  # about 15 s of 5xx before a batch is suspected
_WORDS = 300  # of a server's message; it may repeat the line

_CURES = {
    401: "the token is wrong or was revoked: set ENVSTREAM_INFLUX_TOKEN to one that may write this bucket",
    403: "the token may not write here: give it write permission for this bucket (ENVSTREAM_INFLUX_TOKEN)",
    404: "no such organisation or bucket: run `envstream init`, or correct ENVSTREAM_INFLUX_ORG or _BUCKET",
}
_NO_INFLUXDB = "no InfluxDB 2 answers like this: correct ENVSTREAM_INFLUX_URL"


class InfluxError(SinkError):
    """InfluxDB refuses for a reason only a person can remove."""


@dataclass(frozen=True)
class InfluxSettings:
    """Where InfluxDB is. The token is never shown: not in a message, not in ``repr``."""

    url: str
    token: str = field(repr=False)
    org: str = "envstream"
    bucket: str = "envstream"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> InfluxSettings:
        """From ``ENVSTREAM_INFLUX_URL``, ``_TOKEN``, ``_ORG`` and ``_BUCKET``; the last two may be left out.

        Raises:
            InfluxError: with everything that is missing or wrong, in one line.
        """
        url, token, org, bucket = (
            env.get(f"ENVSTREAM_INFLUX_{name}", default).strip()
            for name, default in (("URL", ""), ("TOKEN", ""), ("ORG", cls.org), ("BUCKET", cls.bucket))
        )
        wrong = []
        if fault := _url_fault(url):
            wrong.append(f"ENVSTREAM_INFLUX_URL {fault}")
        if not token or not token.isascii() or not token.isprintable():
            wrong.append(f"ENVSTREAM_INFLUX_TOKEN {'has characters no token has' if token else 'is not set'}")
        wrong += [f"ENVSTREAM_INFLUX_{name} is empty" for name, v in (("ORG", org), ("BUCKET", bucket)) if not v]
        if wrong:
            raise InfluxError("InfluxDB: " + "; ".join(wrong))
        return cls(url.rstrip("/"), token, org, bucket)

    def place(self) -> str:
        """For messages: URL, org and bucket."""
        return f"InfluxDB {self.url} (org {self.org}, bucket {self.bucket})"


def _url_fault(url: str) -> str | None:
    if not url:
        return "is not set: for example http://127.0.0.1:8086"
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    else:
        if parts.username or parts.password:
            return "carries a user or password, which would be logged: use ENVSTREAM_INFLUX_TOKEN"
    return None if fits else f"is {url!r}: must be like http://127.0.0.1:8086"


class _Refused(Exception):
    """The server will never take these lines; its words."""


class _ServerError(Exception):
    """A 5xx; its words."""


class Influx:
    """A bucket of InfluxDB 2 as a target of the sink."""

    def __init__(self, settings: InfluxSettings, *, timeout_ms: int = _TIMEOUT_MS) -> None:
        """Connects with the first write: an absent InfluxDB is waited for, not an error."""
        self.settings = settings
        self._client = InfluxDBClient(url=settings.url, token=settings.token, org=settings.org, timeout=timeout_ms)
        # Not WriteApi: it hides the status, and a 200 from something that is no InfluxDB would count as stored.
        self._service = WriteService(self._client.api_client)
        self._pauses = 0  # in a row
        self._server_errors = 0  # in a row, for the batch at hand
        self._down_since: float | None = None

    def position(self, topic: str, partition: int) -> int | None:
        """None: the group's committed offset counts, and reading again writes the same points again."""
        return None

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        """Store a batch, in order; returns the lines InfluxDB refuses for good.

        Raises:
            Busy: back off; rewriting what is stored already is harmless.
            InfluxError: 401, 403, 404.
            Stopping: ``stop`` was set while bad lines were being looked for.
        """
        where = [(part, i) for part in batch.parts.values() for i in range(len(part.lines))]
        flat = [part.lines[i] for part, i in where]
        suspect = self._server_errors >= _TRIES_BEFORE_SUSPECT and self._takes_writes()
        refused: list[tuple[int, str]] = []
        for start in range(0, len(flat), LINES_AT_ONCE):
            refused += self._send(flat, start, min(start + LINES_AT_ONCE, len(flat)), suspect, stop)
        self._answered()
        if refused:
            log.warning("%s refuses %d of %d lines: %s", self.settings.place(), len(refused), len(flat), refused[0][1])
        return [where[at][0].bad(where[at][1], words) for at, words in refused]

    def _send(
        self, flat: list[str], start: int, end: int, suspect: bool, stop: threading.Event
    ) -> list[tuple[int, str]]:
        """Post ``flat[start:end]``, halving what is refused down to its lines."""
        try:
            self._post("\n".join(flat[start:end]))
            return []
        except _Refused as error:
            words = str(error)
        except _ServerError as error:
            words = str(error)
            if not suspect:
                self._server_errors += 1
                raise self._busy(words) from None
        if end - start > 1:
            if stop.is_set():
                raise Stopping
            middle = (start + end) // 2
            return self._send(flat, start, middle, suspect, stop) + self._send(flat, middle, end, suspect, stop)
        if suspect and not self._takes_writes():
            raise self._busy(words)  # it is the server after all
        return [(start, words)]

    def _post(self, body: str) -> None:
        try:
            _, status, _ = self._service.post_write_with_http_info(
                org=self.settings.org,
                bucket=self.settings.bucket,
                body=gzip.compress(body.encode(), compresslevel=_GZIP_LEVEL),
                content_encoding="gzip",
                precision=WritePrecision.NS,
                content_type="text/plain; charset=utf-8",
            )
        except ApiException as error:
            self._judge(error)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._server_errors = 0  # nothing is known about the batch
            raise self._busy(self._plain(_root_cause(error))) from None
        if status != 204:
            raise InfluxError(f"{self.settings.place()} answers {status} to a write: {_NO_INFLUXDB}")

    def _judge(self, error: ApiException) -> NoReturn:
        status = error.status or 0
        words = self._plain(server_words(error))
        if status in (400, 413, 422):
            raise _Refused(f"{status} {words}") from None
        if status in (408, 425, 429, 503):
            raise self._busy(f"{status} {words}", _retry_after(error.headers)) from None
        if status >= 500:
            raise _ServerError(f"{status} {words}") from None
        cure = _CURES.get(status, _NO_INFLUXDB)
        raise InfluxError(f"{self.settings.place()} answers {status} {words}: {cure}") from None

    def _takes_writes(self) -> bool:
        """Whether the server is well and stores a point that cannot be at fault."""
        try:
            if self._client.health().status != "pass":
                return False
            self._post(f"{SINK_PROBE.name} valid=true")
        except (Busy, _ServerError):
            return False
        except _Refused:
            pass  # it looks at what it gets, and that is all that was asked
        return True

    def _busy(self, words: str, retry_after: float | None = None) -> Busy:
        pause = min(_FIRST_PAUSE_S * 2 ** min(self._pauses, 10), _LONGEST_PAUSE_S)
        pause *= random.uniform(0.5, 1.0)  # noqa: S311  jitter, no secret
        if retry_after is not None:
            pause = max(pause, min(retry_after, _LONGEST_RETRY_AFTER_S) * random.uniform(1.0, 1.1))  # noqa: S311
        self._pauses += 1
        if self._down_since is None:
            self._down_since = time.monotonic()
            log.warning("%s does not take writes (%s): kept in Kafka, tried again", self.settings.place(), words)
        return Busy(pause, words)

    def _answered(self) -> None:
        if self._down_since is not None:
            log.warning(
                "%s takes writes again after %.0f s", self.settings.place(), time.monotonic() - self._down_since
            )
        self._down_since = None
        self._pauses = self._server_errors = 0

    def _plain(self, words: str) -> str:
        return " ".join(words.replace(self.settings.token, "***").split())[:_WORDS]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def server_words(error: ApiException) -> str:
    """What the server said: the message of its JSON, or the text, or the reason of the status."""
    body = error.body or b""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    try:
        found = json.loads(text)
        return str(found.get("message") or found.get("error") or text)
    except (ValueError, AttributeError):
        return text or str(error.reason)


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    value = (headers or {}).get("Retry-After")
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None or isinstance(getattr(error, "reason", None), BaseException):
        error = error.__cause__ if error.__cause__ is not None else error.reason  # type: ignore[attr-defined]
    return f"{type(error).__name__}: {error}"

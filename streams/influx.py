"""InfluxDB 2 as a target of the sink: our own batches, synchronous, each answer looked at.

influxdb-client's batching writer runs in the background and loses data on exit and without exception
(its issues #198, #394, #504), so it is used synchronously. What InfluxDB 2.7.12 answers was measured
(engineering §5) and decides what happens:

| answer | meaning | what is done |
|---|---|---|
| 204 | stored | the offsets may be committed |
| 400 | a line cannot be read, nothing stored | halve until the line is found; it goes to ``dead`` |
| 422 | some lines dropped and only counted, the others stored | the same: writing a point twice is harmless |
| 422 "outside retention policy", and of nothing else | older than the bucket keeps | left out and counted |
| 429, 5xx, time-out, refused | not now | back off with jitter, keep everything in Kafka |
| 5xx for this batch alone | the batch is at fault (broken gzip got a 500) | as 400, once a probe was stored |
| 401, 403, 404, others | token, right, org, bucket or URL | end with one line for a person |

There are two buckets: what is judged stays for ever, what has the bucket ``RECENT`` in :mod:`schemas.measurements` for
some weeks. Each is asked by itself, so what one refuses holds nothing against the other. Lines that are older than
those weeks when they come (a replay of an old year) are left out before they are sent; the server's word counts where
its clock is another.
"""

from __future__ import annotations

import email.utils
import gzip
import json
import logging
import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import urllib3.exceptions
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from schemas.measurements import MEASUREMENTS, RECENT, SINK_PROBE
from streams.deadline import answer_within
from streams.target import BadLine, Batch, Busy, Part, SinkError, Stopping

log = logging.getLogger("envstream.influx")

LINES_AT_ONCE = 5_000
_TIMEOUT_MS = 10_000  # 5 000 lines take 15 to 18 ms; ten seconds is a server that is in trouble
_GZIP_LEVEL = 1  # 5 000 lines, 533 kB: level 9 (influxdb-client's) 34 ms for 28 kB, level 1 2 ms for 41 kB
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_LONGEST_RETRY_AFTER_S = 300.0
_TRIES_BEFORE_SUSPECT = 5  # about 15 s of 5xx before a batch is suspected
_WORDS = 300  # of a server's message; it may repeat the line
_NS_OF_DAY = 86_400 * 10**9
_RECENT_LINES = tuple(f"{name}," for name, one in MEASUREMENTS.items() if one.bucket == RECENT)
# InfluxDB 2.7.12 says this only when nothing else was wrong: of a type conflict beside it, the conflict alone is told.
_TOO_OLD = re.compile(r"dropped (\d+) points outside retention policy")

_CURES = {
    401: "the token is wrong or was revoked: run `envstream init --tokens`, or correct ENVSTREAM_INFLUX_TOKEN or _FILE",
    403: "the token may not write here: run `envstream init --tokens`, or give it write permission for both buckets "
    "(ENVSTREAM_INFLUX_TOKEN)",
    404: "no such organisation or bucket: run `envstream init`, or correct ENVSTREAM_INFLUX_ORG or _BUCKET",
}
_NO_INFLUXDB = "no InfluxDB 2 answers like this: correct ENVSTREAM_INFLUX_URL"


class InfluxError(SinkError):
    """InfluxDB refuses for a reason only a person can remove."""


class TokenNotThere(InfluxError):
    """The file the token should be in is not there, or is empty: somebody else writes it."""


MOST_DAYS = 36_500


@dataclass(frozen=True)
class InfluxSettings:
    """Where InfluxDB is. The token is never shown: not in a message, not in ``repr``.

    ``token_file`` has it where ``token`` is empty; the file may come later. ``bucket`` keeps for ever,
    ``recent_bucket`` for ``recent_days`` days.
    """

    url: str
    token: str = field(repr=False)
    org: str = "envstream"
    bucket: str = "envstream"
    recent_days: int = 90
    token_file: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str], token: str = "ENVSTREAM_INFLUX_TOKEN") -> InfluxSettings:  # noqa: S107
        """From ``ENVSTREAM_INFLUX_URL``, ``_TOKEN`` or ``_TOKEN_FILE``, ``_ORG``, ``_BUCKET`` and ``_RECENT_DAYS``.

        The last three may be left out. A token that is given itself wins over a file.

        Args:
            env: the environment.
            token: name of the variable with the token; with ``_FILE`` behind it, of that with the file's path.

        Raises:
            InfluxError: with everything that is missing or wrong, in one line.
        """
        url, org, bucket, days = (
            env.get(f"ENVSTREAM_INFLUX_{name}", default).strip()
            for name, default in (
                ("URL", ""), ("ORG", cls.org), ("BUCKET", cls.bucket), ("RECENT_DAYS", str(cls.recent_days)),
            )
        )  # fmt: skip
        secret, path = env.get(token, "").strip(), env.get(f"{token}_FILE", "").strip()
        wrong = []
        if fault := _url_fault(url):
            wrong.append(f"ENVSTREAM_INFLUX_URL {fault}")
        if not secret and not path:
            wrong.append(f"{token} is not set, and neither is {token}_FILE")
        elif secret and not _is_token(secret):
            wrong.append(f"{token} has characters no token has")
        wrong += [f"ENVSTREAM_INFLUX_{name} is empty" for name, v in (("ORG", org), ("BUCKET", bucket)) if not v]
        if not re.fullmatch("[0-9]{1,5}", days) or not 1 <= int(days) <= MOST_DAYS:
            wrong.append(f"ENVSTREAM_INFLUX_RECENT_DAYS is {days!r}: days, 1 to {MOST_DAYS}")
        if wrong:
            raise InfluxError("InfluxDB: " + "; ".join(wrong))
        return cls(url.rstrip("/"), secret, org, bucket, int(days), Path(path) if path and not secret else None)

    @property
    def recent_bucket(self) -> str:
        """Bucket of what is kept for weeks."""
        return f"{self.bucket}_recent"

    def place(self, bucket: str = "") -> str:
        """For messages: URL, org and bucket."""
        return f"InfluxDB {self.url} (org {self.org}, bucket {bucket or self.bucket})"

    def secret(self) -> str:
        """The token, from its file where it is in one.

        Raises:
            TokenNotThere: there is no such file, or nothing in it.
            InfluxError: it cannot be read, or has no token in it.
        """
        if self.token_file is None:
            return self.token
        try:
            found = self.token_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            found = ""
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text"
            raise InfluxError(f"InfluxDB: token file {self.token_file}: {reason}") from None
        if not found:
            raise TokenNotThere(
                f"InfluxDB: token file {self.token_file} is not there yet: `envstream init --tokens` writes it"
            )
        if not _is_token(found):
            raise InfluxError(f"InfluxDB: token file {self.token_file} has characters no token has")
        return found


def _is_token(text: str) -> bool:
    return text.isascii() and text.isprintable()


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


class _TooOld(Exception):
    """All is stored but this many points, which are older than the bucket keeps."""

    def __init__(self, count: int, words: str) -> None:
        super().__init__(words)
        self.count = count


@dataclass
class _Bucket:
    """One bucket, and what is held against the batch at hand there."""

    name: str
    keeps_all: bool
    server_errors: int = 0  # in a row


class Influx:
    """The two buckets of an InfluxDB 2 as a target of the sink."""

    def __init__(self, settings: InfluxSettings, *, timeout_ms: int = _TIMEOUT_MS) -> None:
        """Connects with the first write: an absent InfluxDB, or a token that comes later, is waited for, no error."""
        self.settings = settings
        self._timeout_ms = timeout_ms
        self._token = settings.token
        self._connected: tuple[InfluxDBClient, WriteService] | None = None
        self._main = _Bucket(settings.bucket, keeps_all=True)
        self._recent = _Bucket(settings.recent_bucket, keeps_all=False)
        self._pauses = 0  # in a row
        self._down_since: float | None = None
        self._told_old = False

    def position(self, topic: str, partition: int) -> int | None:
        """None: the group's committed offset counts, and reading again writes the same points again."""
        return None

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        """Store a batch, in order; returns the lines InfluxDB refuses for good.

        ``batch.left_out`` says afterwards how many lines were older than the recent bucket keeps.

        Raises:
            Busy: back off; rewriting what is stored already is harmless.
            InfluxError: 401, 403, 404; or the main bucket keeps not everything.
            Stopping: ``stop`` was set while bad lines were being looked for.
        """
        main: list[tuple[Part, int]] = []
        recent: list[tuple[Part, int]] = []
        oldest = time.time_ns() - self.settings.recent_days * _NS_OF_DAY
        old = 0
        for part in batch.parts.values():
            for i, line in enumerate(part.lines):
                if not line.startswith(_RECENT_LINES):
                    main.append((part, i))
                elif int(line[line.rfind(" ") + 1 :]) >= oldest:
                    recent.append((part, i))
                else:
                    old += 1
        bad: list[BadLine] = []
        for bucket, where in ((self._main, main), (self._recent, recent)):
            if where:
                refused, older = self._write_into(bucket, [part.lines[i] for part, i in where], stop)
                bad += [where[at][0].bad(where[at][1], words) for at, words in refused]
                old += older
        self._answered()
        batch.left_out = old
        if old and not self._told_old:
            self._told_old = True
            log.warning(
                "%s keeps %d days: what is older is left out, now and from now on",
                self.settings.place(self._recent.name),
                self.settings.recent_days,
            )
        return bad

    def _write_into(self, bucket: _Bucket, flat: list[str], stop: threading.Event) -> tuple[list[tuple[int, str]], int]:
        """Store lines; those that are refused for good with the server's words, and how many were too old."""
        suspect = bucket.server_errors >= _TRIES_BEFORE_SUSPECT and self._takes_writes(bucket)
        search = _Search(self, bucket, flat, suspect, stop)
        for start in range(0, len(flat), LINES_AT_ONCE):
            search.send(start, min(start + LINES_AT_ONCE, len(flat)))
        bucket.server_errors = 0
        if search.refused:
            log.warning(
                "%s refuses %d of %d lines: %s",
                self.settings.place(bucket.name),
                len(search.refused),
                len(flat),
                search.refused[0][1],
            )
        return search.refused, search.too_old

    def _post(self, bucket: _Bucket, body: str) -> None:
        try:
            _, status, _ = self._service().post_write_with_http_info(
                org=self.settings.org,
                bucket=bucket.name,
                body=gzip.compress(body.encode(), compresslevel=_GZIP_LEVEL),
                content_encoding="gzip",
                precision=WritePrecision.NS,
                content_type="text/plain; charset=utf-8",
            )
        except ApiException as error:
            self._judge(bucket, error)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            bucket.server_errors = 0  # nothing is known about the batch
            raise self._busy(bucket, self._plain(_root_cause(error))) from None
        if status != 204:
            raise InfluxError(f"{self.settings.place(bucket.name)} answers {status} to a write: {_NO_INFLUXDB}")

    def _judge(self, bucket: _Bucket, error: ApiException) -> NoReturn:
        status = error.status or 0
        words = self._plain(server_words(error))
        place = self.settings.place(bucket.name)
        if status == 422 and (too_old := _TOO_OLD.search(words)):
            if bucket.keeps_all:
                raise InfluxError(f"{place} drops what is old ({words}): run `envstream init`, it must keep everything")
            raise _TooOld(int(too_old[1]), words) from None
        if status in (400, 413, 422):
            raise _Refused(f"{status} {words}") from None
        if status in (408, 425, 429, 503):
            raise self._busy(bucket, f"{status} {words}", _retry_after(error.headers)) from None
        if status >= 500:
            raise _ServerError(f"{status} {words}") from None
        cure = _CURES.get(status, _NO_INFLUXDB)
        raise InfluxError(f"{place} answers {status} {words}: {cure}") from None

    def _takes_writes(self, bucket: _Bucket) -> bool:
        """Whether the server is well and stores a point that cannot be at fault."""
        try:
            client, _ = self._connect()
            if client.health().status != "pass":
                return False
            self._post(bucket, f"{SINK_PROBE.name} valid=true")
        except (Busy, _ServerError):
            return False
        except (_Refused, _TooOld):
            pass  # it looks at what it gets, and that is all that was asked
        return True

    def _service(self) -> WriteService:
        return self._connect()[1]

    def _connect(self) -> tuple[InfluxDBClient, WriteService]:
        """The client and its writing half, made when the token is there.

        Raises:
            Busy: the token's file is not there yet.
            InfluxError: it cannot be read.
        """
        if self._connected is None:
            try:
                self._token = self.settings.secret()
            except TokenNotThere as error:
                raise self._busy(self._main, str(error)) from None
            client = InfluxDBClient(
                url=self.settings.url, token=self._token, org=self.settings.org, timeout=self._timeout_ms
            )
            answer_within(client.api_client.rest_client.pool_manager, 2 * self._timeout_ms / 1000)
            # Not WriteApi: it hides the status, and a 200 from something that is no InfluxDB would count as stored.
            self._connected = client, WriteService(client.api_client)
        return self._connected

    def _busy(self, bucket: _Bucket, words: str, retry_after: float | None = None) -> Busy:
        pause = min(_FIRST_PAUSE_S * 2 ** min(self._pauses, 10), _LONGEST_PAUSE_S)
        pause *= random.uniform(0.5, 1.0)  # noqa: S311  jitter, no secret
        if retry_after is not None:
            pause = max(pause, min(retry_after, _LONGEST_RETRY_AFTER_S) * random.uniform(1.0, 1.1))  # noqa: S311
        self._pauses += 1
        if self._down_since is None:
            self._down_since = time.monotonic()
            place = self.settings.place(bucket.name)
            log.warning("%s does not take writes (%s): kept in Kafka, tried again", place, words)
        return Busy(pause, words)

    def _answered(self) -> None:
        if self._down_since is not None:
            log.warning(
                "%s takes writes again after %.0f s", self.settings.place(), time.monotonic() - self._down_since
            )
        self._down_since = None
        self._pauses = 0

    def _plain(self, words: str) -> str:
        return " ".join(words.replace(self._token, "***").split())[:_WORDS]

    def close(self) -> None:
        """Close the connection."""
        if self._connected is not None:
            self._connected[0].close()


class _Search:
    """Posts lines to a bucket, halving what is refused down to its lines."""

    def __init__(self, influx: Influx, bucket: _Bucket, flat: list[str], suspect: bool, stop: threading.Event) -> None:
        self.influx, self.bucket, self.flat, self.suspect, self.stop = influx, bucket, flat, suspect, stop
        self.refused: list[tuple[int, str]] = []
        self.too_old = 0

    def send(self, start: int, end: int) -> None:
        """Store ``flat[start:end]``."""
        try:
            self.influx._post(self.bucket, "\n".join(self.flat[start:end]))
            return
        except _TooOld as error:
            self.too_old += error.count
            return
        except _Refused as error:
            words = str(error)
        except _ServerError as error:
            words = str(error)
            if not self.suspect:
                self.bucket.server_errors += 1
                raise self.influx._busy(self.bucket, words) from None
        if end - start > 1:
            if self.stop.is_set():
                raise Stopping
            middle = (start + end) // 2
            self.send(start, middle)
            self.send(middle, end)
            return
        if self.suspect and not self.influx._takes_writes(self.bucket):
            raise self.influx._busy(self.bucket, words)  # it is the server after all
        self.refused.append((start, words))


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

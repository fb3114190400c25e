"""What the sink does with answers a healthy InfluxDB does not give on demand: a small HTTP server gives them.

What InfluxDB itself answers is in tests/services/test_influxdb.py.
"""

from __future__ import annotations

import email.utils
import gzip
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from streams import influx
from streams.influx import Influx, InfluxError, InfluxSettings
from streams.target import Batch, Busy, Origin, Stopping

TOKEN = "secret-token-of-the-tests"
GO = threading.Event()
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers writes as ``judge`` says, and keeps the lines it took."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.posts = 0
        self.buckets: list[str] = []  # asked for, post by post
        self.healthy = True
        self.judge: Callable[[list[str]], Answer] = lambda lines: (204, {}, b"")
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Encoding"] == "gzip" and "precision=ns" in self.path
                assert self.headers["Authorization"] == f"Token {TOKEN}"
                made = gzip.decompress(body).decode().split("\n")
                server.posts += 1
                server.buckets += parse_qs(urlsplit(self.path).query)["bucket"]
                self.say(*server.judge(made), store=made)

            def do_GET(self) -> None:
                self.say(
                    200, {}, json.dumps({"name": "influxdb", "status": "pass" if server.healthy else "fail"}).encode()
                )

            def say(self, status: int, headers: dict[str, str], body: bytes, store: list[str] | None = None) -> None:
                if status == 204 and store:
                    server.stored += store
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.settings = InfluxSettings(f"http://127.0.0.1:{self.http.server_port}", TOKEN)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def target(server: Server) -> Iterator[Influx]:
    made = Influx(server.settings, timeout_ms=500)
    yield made
    made.close()


def batch(count: int) -> Batch:
    made = Batch()
    for n in range(count):
        made.add(Origin("cells", 0, n, 0), [f"m,n={n} v=1i {n}"])
    return made


def error(status: int, message: str, **headers: str) -> Answer:
    return status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps({"message": message}).encode()


def busy(target: Influx, made: Batch) -> Busy:
    with pytest.raises(Busy) as caught:
        target.write(made, GO)
    return caught.value


def test_large_batches_are_sent_in_order_and_in_pieces(server: Server, target: Influx) -> None:
    made = batch(12_000)
    assert target.write(made, GO) == []
    assert server.posts == 3 and server.stored == made.parts["cells", 0].lines


def test_an_empty_batch_asks_nothing(server: Server, target: Influx) -> None:
    made = Batch()
    made.add(Origin("cells", 0, 0, 0), [])
    assert target.write(made, GO) == [] and server.posts == 0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_not_now_is_backed_off_with_jitter_and_told_once(
    server: Server, target: Influx, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.judge = lambda _: error(status, "busy")
    delays = [busy(target, batch(10)).delay for _ in range(4)]
    for n, delay in enumerate(delays):
        assert 0.25 * 2**n <= delay <= 0.5 * 2**n
    server.judge = lambda _: (204, {}, b"")
    assert target.write(batch(10), GO) == []
    assert len(caplog.records) == 2
    assert busy_again(server, target) <= 0.5, "the pause begins anew"


def busy_again(server: Server, target: Influx) -> float:
    server.judge = lambda _: error(503, "busy")
    return busy(target, batch(1)).delay


def test_pauses_are_bounded(server: Server, target: Influx) -> None:
    server.judge = lambda _: error(503, "busy")
    target._pauses = 5000
    assert 5 <= busy(target, batch(1)).delay <= 10


def test_retry_after_is_honoured(server: Server, target: Influx) -> None:
    server.judge = lambda _: error(429, "slow down", Retry_After="7")
    assert 7 <= busy(target, batch(1)).delay <= 7.7
    server.judge = lambda _: error(503, "later", Retry_After=email.utils.formatdate(time.time() + 60, usegmt=True))
    assert 50 <= busy(target, batch(1)).delay <= 66
    server.judge = lambda _: error(503, "much later", Retry_After="86400")
    assert busy(target, batch(1)).delay <= 330
    for nonsense in ("soon", "-5", ""):
        server.judge = lambda _, n=nonsense: error(503, "odd", Retry_After=n)  # type: ignore[misc]
        assert busy(target, batch(1)).delay <= 10


def test_a_server_that_says_nothing_is_timed_out(server: Server, target: Influx) -> None:
    def slow(_: list[str]) -> Answer:
        time.sleep(1.0)
        return 204, {}, b""

    server.judge = slow
    begin = time.monotonic()
    assert "timed out" in str(busy(target, batch(1)))
    assert time.monotonic() - begin < 0.9


def test_a_line_that_alone_gets_a_500_goes_to_dead_in_the_end(
    server: Server, target: Influx, caplog: pytest.LogCaptureFixture
) -> None:
    made = batch(64)
    poison = made.parts["cells", 0].lines[41]
    server.judge = lambda lines: error(500, "internal error") if poison in lines else (204, {}, b"")
    for _ in range(influx._TRIES_BEFORE_SUSPECT):
        busy(target, made)
    (bad,) = target.write(made, GO)
    assert (bad.line, bad.origin.offset, bad.reason) == (poison, 41, "500 internal error")
    assert set(made.parts["cells", 0].lines) - {poison} <= set(server.stored)


@pytest.mark.parametrize("healthy", [True, False])
def test_a_server_that_refuses_everything_with_500_never_costs_a_line(
    server: Server, target: Influx, healthy: bool
) -> None:
    """influxd says 500 when its cache is full, with /health still passing: that is no fault of the lines."""
    server.healthy = healthy
    server.judge = lambda _: error(500, "engine: cache-max-memory-size exceeded")
    for _ in range(influx._TRIES_BEFORE_SUSPECT * 2):
        busy(target, batch(20))
    server.judge = lambda _: (204, {}, b"")
    assert target.write(batch(20), GO) == []


def test_a_server_that_falls_over_while_a_poisonous_line_is_looked_for_costs_no_line(
    server: Server, target: Influx
) -> None:
    made = batch(16)
    poison = made.parts["cells", 0].lines[0]
    server.judge = lambda lines: error(500, "internal error") if poison in lines else (204, {}, b"")
    for _ in range(influx._TRIES_BEFORE_SUSPECT):
        busy(target, made)
    asked = server.posts

    def dying(lines: list[str]) -> Answer:
        return error(500, "dying") if poison in lines or server.posts > asked + 3 else (204, {}, b"")

    server.judge = dying
    busy(target, made)


def test_looking_for_bad_lines_ends_when_the_sink_stops(server: Server, target: Influx) -> None:
    server.judge = lambda _: error(400, "unable to parse")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopping):
        target.write(batch(100), stop)
    assert server.posts == 1


def test_too_large_is_halved(server: Server, target: Influx) -> None:
    made = batch(100)
    server.judge = lambda lines: error(413, "too large") if len(lines) > 30 else (204, {}, b"")
    assert target.write(made, GO) == []
    assert server.stored == made.parts["cells", 0].lines


@pytest.mark.parametrize("status", [200, 202, 301, 405])
def test_something_that_is_no_influxdb_never_counts_as_stored(server: Server, target: Influx, status: int) -> None:
    server.judge = lambda _: (status, {}, b"<html>welcome</html>")
    with pytest.raises(InfluxError, match="correct ENVSTREAM_INFLUX_URL") as caught:
        target.write(batch(3), GO)
    assert "\n" not in str(caught.value)


def test_the_token_is_never_shown(server: Server, target: Influx, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [repr(server.settings), str(server.settings), server.settings.place()]
    for status in (400, 401, 403, 404, 429, 500):
        server.judge = lambda _, s=status: error(s, f"you sent Token {TOKEN}\nand more")  # type: ignore[misc]
        try:
            shown += [b.reason for b in target.write(batch(1), GO)]
        except (Busy, InfluxError) as caught:
            shown.append(str(caught))
    assert TOKEN not in "".join(shown) + caplog.text
    assert "\n" not in "".join(shown)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, ["_URL is not set", "_TOKEN is not set"]),
        ({"URL": "127.0.0.1:8086", "TOKEN": "t"}, ["'127.0.0.1:8086'", "must be like http://"]),
        ({"URL": "http://h:port", "TOKEN": "t"}, ["must be like http://"]),
        ({"URL": "ftp://h", "TOKEN": "t"}, ["must be like http://"]),
        ({"URL": "http://h", "TOKEN": "geheim\n x"}, ["_TOKEN has characters no token has"]),
        ({"URL": "http://h", "TOKEN": "t", "ORG": " ", "BUCKET": ""}, ["_ORG is empty", "_BUCKET is empty"]),
        ({"URL": "http://me:geheim@h:8086", "TOKEN": "t"}, ["would be logged"]),
        *(
            ({"URL": "http://h", "TOKEN": "t", "RECENT_DAYS": days}, ["_RECENT_DAYS is", "1 to 36500"])
            for days in ("0", "-1", "90.5", "a", "", "36501", "９")
        ),
    ],
)
def test_settings_tell_everything_that_is_wrong_in_one_line(env: dict[str, str], words: list[str]) -> None:
    with pytest.raises(InfluxError) as caught:
        InfluxSettings.from_env({f"ENVSTREAM_INFLUX_{k}": v for k, v in env.items()})
    text = str(caught.value)
    assert all(word in text for word in words) and "\n" not in text and "geheim" not in text


def test_settings_from_the_environment() -> None:
    env = {"ENVSTREAM_INFLUX_URL": " http://influxdb:8086/ ", "ENVSTREAM_INFLUX_TOKEN": "t\n"}
    made = InfluxSettings.from_env(env)
    assert (made.url, made.token, made.org, made.bucket) == ("http://influxdb:8086", "t", "envstream", "envstream")
    assert (made.recent_bucket, made.recent_days, made.token_file) == ("envstream_recent", 90, None)
    both = InfluxSettings.from_env(env | {"ENVSTREAM_INFLUX_TOKEN_FILE": "/x", "ENVSTREAM_INFLUX_RECENT_DAYS": "7"})
    assert (both.token, both.token_file, both.recent_days) == ("t", None, 7), "what is given itself wins"
    file = InfluxSettings.from_env(env | {"ENVSTREAM_INFLUX_TOKEN": "", "ENVSTREAM_INFLUX_TOKEN_FILE": "/x"})
    assert (file.token, file.token_file) == ("", Path("/x"))

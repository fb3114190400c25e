"""Stores and brokers fail under load: nothing lost, nothing doubled, nothing restarted, memory bounded.

What other tests prove is not repeated here: what InfluxDB says of a bad line, a type conflict, a wrong token
(``test_influxdb.py``), answers it does not give on demand (``tests/streams/test_influx_answers.py``).
``ENVSTREAM_FAULTS=full``: InfluxDB is away for a minute, Kafka for twenty seconds twice, queues are long.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from schemas import messages, topics
from schemas.alerts import Notice
from schemas.messages import AirVerdict
from streams.admin import create_topics
from streams.influx import Influx, InfluxSettings
from streams.line_protocol import lines
from tests.desk.notifying import REGISTRY, TEXTS
from tests.desk.robots import in_a_thread
from tests.e2e import system
from tests.e2e.notifying import deliveries, finals
from tests.e2e.test_kafka import Parts
from tests.services import samples
from tests.services.embedded import RunningSink, committed, read, wait_for
from tests.services.fixtures import InfluxDB, InfluxDBProcess, KafkaProcess

pytestmark = [pytest.mark.needs_kafka, pytest.mark.needs_influxdb]

FULL = os.environ.get("ENVSTREAM_FAULTS") == "full"
INFLUXDB_AWAY_S, KAFKA_AWAY_S = (60, 16) if FULL else (8, 8)  # Kafka's end and start come on top: 4 to 8 s
DAYS = 30 if FULL else 6
BACKLOG = 100_000 if FULL else 15_000
MB = 1024 * 1024


@pytest.fixture
def log(fresh: str) -> str:
    """A Kafka with the topics, all empty."""
    create_topics(fresh, 4, 1)
    return fresh


def env_of(place: InfluxSettings) -> dict[str, str]:
    return {
        "ENVSTREAM_INFLUX_URL": place.url, "ENVSTREAM_INFLUX_TOKEN": place.token,
        "ENVSTREAM_INFLUX_ORG": place.org, "ENVSTREAM_INFLUX_BUCKET": place.bucket,
        "ENVSTREAM_INFLUX_RECENT_DAYS": str(place.recent_days),
    }  # fmt: skip


def points(made: list[str]) -> dict[str, str]:
    """The last line of every series and instant: what must stand in InfluxDB."""
    found = {}
    for line in made:
        series = re.match(r"(?:\\.|[^ \\])*", line)
        assert series is not None
        found[f"{series[0]} {line.rsplit(' ', 1)[1]}"] = line
    return found


def stored(influxdb: InfluxDB, place: InfluxSettings) -> Counter[str]:
    """Points that stand in InfluxDB, by measurement."""
    names = [row["name"] for row in influxdb.rows(place.bucket, "SHOW MEASUREMENTS")]
    count: Counter[str] = Counter()
    for name in names:
        if name != "sink_probe":
            (row,) = influxdb.rows(place.bucket, f'SELECT count(valid) AS n FROM "{name}"')
            count[name] = row["n"]
    return count


def by_measurement(keys: Any) -> Counter[str]:
    return Counter(key.split(",")[0] for key in keys)


# ---- all parts, and first InfluxDB, then Kafka away


@pytest.mark.whole
def test_influxdb_and_then_kafka_are_away_under_load(
    own_kafka: KafkaProcess, own_influxdb: InfluxDBProcess, tmp_path: Path
) -> None:
    """Gateway, worker, sink and notify stay the same processes; what stands in the end is what stands undisturbed."""
    december = system.write_csv(tmp_path / "december.csv.gz", system.sample_rows("2015-12-01", f"2015-12-{DAYS:02}"))
    district = tmp_path / "district.toml"
    people = REGISTRY[REGISTRY.index("[[person]]") :]
    district.write_text((system.ROOT / "districts" / "beijing.toml").read_text() + people)
    system.once(tmp_path / "undisturbed", december, district=district)
    expected = system.verdicts(tmp_path / "undisturbed")

    place = own_influxdb.make_bucket()
    parts = Parts(tmp_path, own_kafka.bootstrap)
    report: dict[str, Any] = {}
    system.run("init", "--bootstrap", own_kafka.bootstrap)
    with in_a_thread() as robots, started(parts):
        robots.secrets = {"ding-token-4711": "SECding-secret-0815"}
        robots.per_minute = dict.fromkeys(robots.per_minute, 10**6)
        # half a session: how long Kafka may be away in the middle of a checkpoint (docs/kernel.md, the fence)
        parts.start("worker", "--instance", "one", "--session", "90")
        parts.start("sink", env=env_of(place))
        parts.start("gateway", "--district", str(district), "--port", str(parts.port), "--control-port",
                    str(parts.control), "--clock", "virtual")  # fmt: skip
        parts.start("notify", "--robots", robots.url, env={f"ENVSTREAM_SECRET_{n}": text for n, text in TEXTS.items()})
        processes = dict(parts.processes)
        # ten virtual hours a second; while Kafka is away no packet is answered, and the replay waits
        player = threading.Thread(target=lambda: report.update(parts.replay(december, "--speed", "36000")))
        player.start()
        time.sleep(2)
        own_influxdb.stop(hard=True)
        time.sleep(INFLUXDB_AWAY_S)
        own_influxdb.start()
        for _ in range(2 if FULL else 1):
            assert player.is_alive(), "the replay was over before Kafka was away"
            own_kafka.stop()
            time.sleep(KAFKA_AWAY_S)
            own_kafka.start()
            time.sleep(3)
        player.join(300)
        assert report["answered"] == DAYS * 24 * 12
        parts.caught_up()
        assert parts.processes == processes and all(p.poll() is None for p in processes.values())
        notices = [
            msgspec.json.decode(m.value(), type=Notice)
            for m in read(own_kafka.bootstrap, topics.NOTICES, 10**6, 3.0)
        ]  # fmt: skip
        owed = {(n.id, to.person) for n in notices for to in n.to}
        wait_for(lambda: owed <= set(finals(deliveries(own_kafka.bootstrap, 1.0))), 120)
        told = finals(deliveries(own_kafka.bootstrap))
        sent = Counter((t.token, t.text) for t in robots.accepted())
        parts.stop()
    assert owed, "nobody was told anything: this shows nothing of notify"
    assert set(told.values()) == {1} and set(sent.values()) == {1}
    there = stored(own_influxdb, place)
    tries = [x for m in read(own_kafka.bootstrap, topics.DELIVERIES, 10**6, 2.0) for x in lines(m.value(), m.topic())]
    assert there.pop("delivery") == len(points(tries))
    assert there == by_measurement(expected), "nothing lost, nothing doubled"
    verdicts = [
        msgspec.json.decode(m.value(), type=AirVerdict)
        for m in read(own_kafka.bootstrap, topics.VERDICTS, 10**6, 3.0)
        if b"|air-day|" in m.key()
    ]
    assert len({v.time for v in verdicts}) == DAYS
    for verdict in {(v.time, v.edition, v.dust): v for v in verdicts}.values():
        asked = (
            f"SELECT aqi, valid, \"primary\" FROM air_day WHERE area = '{verdict.area}' AND edition = "
            f"'{verdict.edition}' AND dust = '{verdict.dust}' AND time = {verdict.time}s"
        )
        (row,) = own_influxdb.rows(place.bucket, asked)
        assert (row["aqi"], row["primary"]) == (verdict.aqi, "、".join(verdict.primary))


@contextlib.contextmanager
def started(parts: Parts) -> Iterator[Parts]:
    """Nothing is left running."""
    try:
        yield parts
    finally:
        for process in parts.processes.values():
            process.kill()
            process.wait()


# ---- the sink alone


class Sink:
    """``envstream sink`` as a process."""

    def __init__(self, bootstrap: str, place: InfluxSettings, errors: Path) -> None:
        self.errors = errors
        with open(errors, "a") as err:
            self.process = subprocess.Popen(
                [*system.ENVSTREAM, "sink", "--bootstrap", bootstrap], cwd=system.ROOT, stdout=subprocess.PIPE,
                stderr=err, text=True, env={**os.environ, **env_of(place)},
            )  # fmt: skip

    def ready(self) -> None:
        assert self.process.stdout is not None
        assert '"ready"' in self.process.stdout.readline(), self.errors.read_text()

    def memory(self, of: str = "VmRSS") -> int:
        """Bytes now (VmRSS), or at most so far (VmHWM)."""
        found = re.search(rf"{of}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0, self.errors.read_text()


@pytest.fixture
def sinks() -> Iterator[list[Sink]]:
    """Every sink a test starts; none is left running."""
    found: list[Sink] = []
    yield found
    for one in found:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def send(bootstrap: str, sent: list[tuple[str, bytes, bytes]]) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "queue.buffering.max.kbytes": 1_000_000, "queue.buffering.max.messages": 0}
    )
    for n, (topic, key, value) in enumerate(sent):
        producer.produce(topic, value, key, partition=n % 4)
        producer.poll(0)
    assert producer.flush(60) == 0


def all_committed(bootstrap: str, sent: list[tuple[str, bytes, bytes]]) -> Callable[[], bool]:
    ends = Counter((topic, n % 4) for n, (topic, _, _) in enumerate(sent))
    return lambda: all(committed(bootstrap, topic, p) == count for (topic, p), count in ends.items())


def test_a_wrong_token_mended_and_started_again_goes_on(
    influxdb: InfluxDB, log: str, sinks: list[Sink], tmp_path: Path
) -> None:
    place = influxdb.make_bucket()
    sent = samples.days(2)
    send(log, sent)
    sinks.append(Sink(log, replace(place, token="revoked-token-of-the-tests"), tmp_path / "err"))
    assert sinks[0].process.wait(30) == 2
    (line,) = [x for x in (tmp_path / "err").read_text().splitlines() if x.startswith("envstream: ")]
    assert "401" in line and "ENVSTREAM_INFLUX_TOKEN" in line and "-of-the-tests" not in line
    sinks.append(Sink(log, place, tmp_path / "err"))
    wait_for(all_committed(log, sent), 30)
    sinks[1].end()
    assert stored(influxdb, place) == by_measurement(points([x for _, _, v in sent for x in lines(v)]))


def test_a_full_queue_keeps_memory_bounded(
    own_influxdb: InfluxDBProcess, log: str, sinks: list[Sink], tmp_path: Path
) -> None:
    """A backlog of 100 MB and lines of 30 kB while InfluxDB is away; then all of it is stored, in bounded pieces."""
    place = own_influxdb.make_bucket()
    sinks.append(Sink(log, place, tmp_path / "err"))
    sinks[0].ready()
    time.sleep(2)  # what it says of itself is stored: what comes next are the cells
    own_influxdb.stop()
    before = sinks[0].memory()
    start = samples.DAY * 86_400
    plain = [samples.cell(start + 3600 * n, n=n, packets=["p" * 4_000]) for n in range(BACKLOG)]
    long = [samples.cell(start + 3600 * n, "s2", n, reasons=["r" * 30_000] * 6) for n in range(BACKLOG // 50)]
    sent = [(topics.CELLS, samples.key_of(c), messages.encode(c)) for c in [*long, *plain]]
    size = sum(len(v) for _, _, v in sent)
    send(log, sent)
    wait_for(lambda: "does not take writes" in (tmp_path / "err").read_text(), 30)
    most = 0
    for _ in range(40 if FULL else 15):
        time.sleep(0.4)
        most = max(most, sinks[0].memory())
    assert all(committed(log, topics.CELLS, p) < 0 for p in range(4))
    own_influxdb.start()
    wait_for(all_committed(log, sent), 300)
    peak = sinks[0].memory("VmHWM")
    print(f"\nbacklog {size / MB:.0f} MB: sink {before / MB:.0f}, waiting {most / MB:.0f}, peak {peak / MB:.0f} MB")
    assert size > 100 * MB and most - before < 64 * MB and peak - before < 96 * MB
    sinks[0].end()
    assert stored(own_influxdb, place) == {"air_hour": 6 * len(sent)}


class BadNetwork:
    """Stands before a real InfluxDB and does to each write what the script says; then it lets everything pass."""

    def __init__(self, port: int, script: list[str]) -> None:
        self.script = script
        self.done: list[str] = []
        network = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                step = network.script.pop(0) if network.script else "pass"
                network.done.append(step)
                length = int(self.headers["Content-Length"])
                if step == "cut the request":
                    self.rfile.read(length // 2)
                    return self.cut()
                body = self.rfile.read(length)
                if step.isdigit():
                    return self.answer(int(step), b'{"message":"not now"}', {"Retry-After": "1"})
                # from here on InfluxDB has stored what it was given
                upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                upstream.request("POST", self.path, body, dict(self.headers))
                said = upstream.getresponse()
                text = said.read()
                upstream.close()
                if step == "cut the answer":
                    self.wfile.write(b"HTTP/1.1 20")
                    return self.cut()
                if step == "no answer":
                    return self.cut()
                if step == "late":
                    time.sleep(2.0)
                if step == "trickle":
                    with contextlib.suppress(OSError):
                        for byte in b"HTTP/1.1 204 No Content\r\nX-Slow: " + b"x" * 200:
                            self.wfile.write(bytes([byte]))
                            self.wfile.flush()
                            time.sleep(0.3)
                    return self.cut()
                return self.answer(said.status, text, {})

            def cut(self) -> None:
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()

            def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    if status != 204:
                        self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    if status != 204:
                        self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def test_a_slow_server_and_a_bad_network_lose_and_double_nothing(influxdb: InfluxDB, log: str) -> None:
    """Half of the faults come after InfluxDB has stored the batch: it is written again, and is there once."""
    place = influxdb.make_bucket()
    script = ["429", "503", "cut the request", "pass", "no answer", "cut the answer", "late", "pass", "trickle", "500"]
    faults = sum(step != "pass" for step in script)
    network = BadNetwork(int(place.url.rsplit(":", 1)[1]), list(script))
    try:
        sink = RunningSink(
            log,
            Influx(replace(place, url=network.url), timeout_ms=1_000),
            embedded=False,
            linger_s=0.2,
            batch_lines=500,
        )
        assert sink.ready.wait(20)
        sent = samples.days(4) + samples.days(4)  # every key twice
        send(log, sent)
        wait_for(all_committed(log, sent), 90)
        sink.end()
    finally:
        network.close()
    assert network.done[: len(script)] == script
    assert sink.error is None
    assert (sink.stats.waits, sink.stats.dead, sink.stats.messages) == (faults, 0, len(sent))
    expected = points([x for _, _, v in sent for x in lines(v)])
    assert stored(influxdb, place) == by_measurement(expected)
    assert sink.stats.lines == sum(len(lines(v)) for _, _, v in sent), "counted once, however often it was written"

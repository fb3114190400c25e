"""Real services for tests: an InfluxDB 2 and an Apache Kafka, given by CI or started here.

``influxdb`` uses ``ENVSTREAM_TEST_INFLUX_URL``, ``_TOKEN`` and ``_ORG`` when they are set, ``kafka`` uses
``ENVSTREAM_TEST_KAFKA`` (a bootstrap address). Otherwise the fixture starts the program itself on a free
port when ``tests/services/*.sh install`` has put it in the cache, else it skips with a reason that begins
with ``SERVICE MISSING:``; CI looks for these words and fails. Only processes started here are ended, by pid.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from schemas import topics
from streams.influx import MOST_DAYS, InfluxSettings
from tests.services.embedded import wait_for

HERE = Path(__file__).parent
CACHE = Path(
    os.environ.get("ENVSTREAM_SERVICES")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "envstream-services"
)
INFLUXD = CACHE / "influxdb-v2.7.12" / "influxd"
KAFKA_LIB = CACHE / "kafka" / "lib-4.1.1"
TOKEN, ORG = "token-of-the-tests", "envstream"
# Each conftest that imports a session fixture gets an instance of its own; they share what runs. The first
# instance started it, is torn down last, and ends it.
_running: dict[str, Any] = {}
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing(what: str, script: str) -> None:
    """Skip, in words CI looks for."""
    pytest.skip(f"SERVICE MISSING: {what}: `tests/services/{script} install` builds it")


def free_port(after: int = 1) -> int:
    """A free loopback port; ``after`` ports in a row are free.

    Below the ports that connections get of the system: a client that tries again and again while a server is away would
    now and then be given the server's own port, reach itself, and keep the server from coming back.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        try:
            for extra in range(after):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port + extra))
        except OSError:
            continue
        return port


@dataclass
class InfluxDB:
    """An InfluxDB 2 with an organisation and a token that may do everything in it."""

    url: str
    token: str
    org: str

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """The JSON answer of an API call; an HTTP error is raised."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", f"Token {token or self.token}")
        with _NO_PROXY.open(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def org_id(self) -> str:
        """Id of the organisation."""
        return str(self.call("GET", f"/api/v2/orgs?org={urllib.parse.quote(self.org)}")["orgs"][0]["id"])

    def make_bucket(self, name: str | None = None, recent_days: int = MOST_DAYS) -> InfluxSettings:
        """A fresh pair of buckets; samples are old, so that the recent one keeps them too unless it is told."""
        place = InfluxSettings(self.url, self.token, self.org, name or f"test-{uuid.uuid4().hex[:8]}", recent_days)
        for bucket, days in ((place.bucket, 0), (place.recent_bucket, recent_days)):
            rules = [{"type": "expire", "everySeconds": days * 86_400}] if days else []
            self.call("POST", "/api/v2/buckets", {"orgID": self.org_id(), "name": bucket, "retentionRules": rules})
        return place

    def make_token(self, permissions: list[dict[str, Any]]) -> str:
        """A token with these permissions only."""
        return str(
            self.call("POST", "/api/v2/authorizations", {"orgID": self.org_id(), "permissions": permissions})["token"]
        )

    def query(self, bucket: str, influxql: str) -> list[dict[str, Any]]:
        """Series of an InfluxQL query through the DBRP mapping; an error in the body is raised (it comes with 200)."""
        asked = urllib.parse.urlencode({"db": bucket, "q": influxql, "epoch": "s"})
        (result,) = self.call("GET", f"/query?{asked}")["results"]
        if "error" in result:
            raise RuntimeError(f"{result['error']}: {influxql}")
        return list(result.get("series", []))

    def rows(self, bucket: str, influxql: str) -> list[dict[str, Any]]:
        """Rows of all series as dicts, with the tags they were grouped by."""
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in self.query(bucket, influxql)
            for values in series["values"]
        ]


class InfluxDBProcess(InfluxDB):
    """An influxd of our own that can be stopped and started again on the same data and port."""

    def __init__(self, folder: Path) -> None:
        super().__init__("", TOKEN, ORG)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        setup = {"username": "admin", "password": "password-of-the-tests", "org": ORG, "bucket": "air", "token": TOKEN}
        self.call("POST", "/api/v2/setup", setup)

    def start(self) -> None:
        """Start and wait for its health."""
        command = [
            str(INFLUXD), "--reporting-disabled", "--http-bind-address", f"127.0.0.1:{self.port}",
            "--bolt-path", str(self.folder / "influxd.bolt"), "--sqlite-path", str(self.folder / "influxd.sqlite"),
            "--engine-path", str(self.folder / "engine"),
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                self.call("GET", "/health")
                return
            except (OSError, urllib.error.URLError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise RuntimeError(f"influxd did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self, *, hard: bool = False) -> None:
        """End it: SIGTERM, or SIGKILL when ``hard``."""
        if self.process is not None:
            self.process.kill() if hard else self.process.terminate()
            self.process.wait(30)
            self.process = None


@pytest.fixture(scope="session")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    """A real InfluxDB 2; each test makes its own bucket."""
    if url := os.environ.get("ENVSTREAM_TEST_INFLUX_URL"):
        token = os.environ.get("ENVSTREAM_TEST_INFLUX_TOKEN", "")
        yield InfluxDB(url.rstrip("/"), token, os.environ.get("ENVSTREAM_TEST_INFLUX_ORG", ORG))
        return
    if not INFLUXD.exists():
        missing(f"InfluxDB 2 ({INFLUXD.parent.name}/influxd, or ENVSTREAM_TEST_INFLUX_URL)", "influxdb.sh")
    if "influxdb" in _running:
        yield _running["influxdb"]
        return
    process = _running["influxdb"] = InfluxDBProcess(tmp_path_factory.mktemp("influxdb"))
    yield process
    del _running["influxdb"]
    process.stop()


@pytest.fixture
def own_influxdb(tmp_path: Path) -> Iterator[InfluxDBProcess]:
    """An influxd for one test, which may stop, start and kill it."""
    if not INFLUXD.exists():
        missing(f"an InfluxDB 2 that a test may stop ({INFLUXD.parent.name}/influxd)", "influxdb.sh")
    process = InfluxDBProcess(tmp_path)
    yield process
    process.stop(hard=True)


def _kafka_answers(bootstrap: str) -> bool:
    try:
        AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=2)
    except Exception:  # any error means: not yet
        return False
    return True


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of a real Apache Kafka. Topics are the tests' own to make and name."""
    if bootstrap := os.environ.get("ENVSTREAM_TEST_KAFKA"):
        yield bootstrap
        return
    if not (KAFKA_LIB / ".ok").exists():
        missing(f"Apache Kafka ({KAFKA_LIB.name}, or ENVSTREAM_TEST_KAFKA)", "kafka.sh")
    if "kafka" in _running:
        yield _running["kafka"]
        return
    port = free_port(2)
    folder = tmp_path_factory.mktemp("kafka")
    env = {**os.environ, "ENVSTREAM_KAFKA_DATA": str(folder)}
    script = [str(HERE / "kafka.sh")]
    subprocess.run([*script, "start", "--port", str(port)], env=env, check=True, timeout=90, stdout=subprocess.DEVNULL)
    bootstrap = f"127.0.0.1:{port}"
    try:
        until = time.monotonic() + 30
        while not _kafka_answers(bootstrap):
            assert time.monotonic() < until, f"Kafka on {bootstrap} does not answer: see {folder}"
        _running["kafka"] = bootstrap
        yield bootstrap
    finally:
        _running.pop("kafka", None)
        subprocess.run(
            [*script, "stop", "--port", str(port)], env=env, check=True, timeout=60, stdout=subprocess.DEVNULL
        )


class KafkaProcess:
    """An Apache Kafka of our own that can be stopped and started again on the same data and port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._env = {**os.environ, "ENVSTREAM_KAFKA_DATA": str(folder)}
        self.start()

    def start(self) -> None:
        """Start and wait until it answers."""
        self._run("start")
        wait_for(lambda: _kafka_answers(self.bootstrap), 30)

    def stop(self) -> None:
        """End it: SIGTERM, or nothing when it has ended."""
        self._run("stop")

    def _run(self, word: str) -> None:
        command = [str(HERE / "kafka.sh"), word, "--port", str(self.port)]
        subprocess.run(command, env=self._env, check=True, timeout=90, stdout=subprocess.DEVNULL)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaProcess]:
    """A Kafka for one test, which may stop and start it."""
    if not (KAFKA_LIB / ".ok").exists():
        missing(f"an Apache Kafka that a test may stop ({KAFKA_LIB.name})", "kafka.sh")
    process = KafkaProcess(tmp_path / "kafka")
    yield process
    process.stop()


@pytest.fixture
def fresh(kafka: str) -> str:
    """A Kafka without topics."""
    admin = AdminClient({"bootstrap.servers": kafka})

    def existing() -> list[str]:
        there = admin.list_topics(timeout=10).topics
        return [topic.name for topic in topics.TOPICS if topic.name in there]

    for future in admin.delete_topics(existing()).values() if existing() else ():
        future.result()
    wait_for(lambda: not existing(), 30)
    return kafka

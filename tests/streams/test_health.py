"""What a part says of itself, and that nothing of it can hold the part up."""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.request

import pytest
from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry, Counter, Gauge

from desk.notify.service import _Metrics as NotifyMetrics
from schemas.alerts import Delivery
from schemas.health import HEALTH, NOTHING_IN_PARTICULAR, Sample
from streams import part_metrics
from streams.gateway_metrics import Metrics
from streams.health import HealthReport, samples, telling
from streams.offsets import Offsets, OffsetsError
from streams.ports import PortBusy, listen_on
from streams.sink import SinkStats
from streams.sink_metrics import sink_registry
from tests.services.embedded import Broker, wait_for
from tests.services.fixtures import free_port


def value(found: list[Sample], name: str, about: str = NOTHING_IN_PARTICULAR) -> float | None:
    return next((s.value for s in found if (s.name, s.about) == (name, about)), None)


def test_samples_that_differ_elsewhere_are_summed_or_the_worst_counts() -> None:
    registry = CollectorRegistry()
    lag = Gauge("envstream_lag", "-", ["topic", "partition"], registry=registry)
    age = Gauge("envstream_tick_age_seconds", "-", ["topic", "partition"], registry=registry)
    told = Counter("envstream_deliveries", "-", ["channel", "outcome"], registry=registry)
    Gauge("envstream_waiting", "-", registry=registry).set(float("nan"))
    Gauge("something_else", "-", registry=registry).set(1)
    for partition, behind, old in (("0", 3, 1.5), ("1", 4, 99.0)):
        lag.labels("cells", partition).set(behind)
        age.labels("cells", partition).set(old)
    lag.labels("verdicts", "0").set(1)
    for channel, outcome in (("sms", "sent"), ("mail", "sent"), ("mail", "failed")):
        told.labels(channel, outcome).inc()
    assert samples(registry) == [
        Sample("lag", "cells", 7.0), Sample("lag", "verdicts", 1.0), Sample("tick_age", "cells", 99.0),
        Sample("told", "failed", 1.0), Sample("told", "sent", 2.0),
    ]  # fmt: skip


def test_counts_of_gateway_sink_and_notify_are_said_by_their_names() -> None:
    gateway, notify, stats = Metrics(), NotifyMetrics(), SinkStats(lines=70, dead=2, waits=5)
    gateway.packets.labels("ok").inc(3)
    gateway.packets.labels("crc").inc(2)
    gateway.dead.inc(2)
    gateway.watch("envstream_waiting", "-", lambda: 11.0)
    for state in ("sent", "failed"):
        notify.told(Delivery(f"n|p|sms|1|{state}", "n", "e", "g", "p", "sms", 1, state, 0))
    said = samples(gateway.registry)
    assert (value(said, "received"), value(said, "waiting"), value(said, "dead")) == (5.0, 11.0, 2.0)
    said = samples(notify.registry)
    assert (value(said, "told", "sent"), value(said, "told", "failed")) == (1.0, 1.0)
    said = samples(sink_registry(stats, Offsets("127.0.0.1:1")))
    assert (value(said, "stored"), value(said, "dead"), value(said, "store_waits")) == (70.0, 2.0, 5.0)
    assert value(said, "lag") is None, "nothing is assigned"
    for registry in (gateway.registry, notify.registry):
        memory, began = (value(samples(registry), name) for name in ("memory", "up_since"))
        assert memory is not None and memory > 1e6
        assert began is not None and time.time() - 7200 < began <= time.time()


def test_names_and_labels_are_those_prometheus_would_take() -> None:
    for number in HEALTH.values():
        assert number.metric.replace("_", "").isalnum()
        assert number.about in ("", "topic", "outcome")


def test_without_kafka_it_is_said_once_and_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    threads = set(threading.enumerate())
    with caplog.at_level(logging.WARNING, "envstream.health"):
        report = HealthReport("sink", "here", CollectorRegistry(), f"127.0.0.1:{free_port()}", every_s=0.2)
        wait_for(lambda: bool(caplog.records), 20)
        time.sleep(1.0)
        report.close()
    assert len(caplog.records) == 1 and "not said in the log of 127.0.0.1:" in caplog.text
    wait_for(lambda: set(threading.enumerate()) <= threads, 20)


def test_a_part_says_how_it_fares_again_and_again_with_one_key() -> None:
    broker = Broker()
    broker.send([("health", None, b"-")])  # a topic of the embedded broker appears on first use
    registry = CollectorRegistry()
    counted = Counter("envstream_dead", "-", registry=registry)
    report = HealthReport("sink", "two", registry, broker.bootstrap, every_s=0.2)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "t", "log_level": 0})
    consumer.assign([TopicPartition("health", p, 0) for p in range(4)])
    seen = []
    until = time.monotonic() + 20
    while not (seen and b"3.0" in seen[-1].value()) and time.monotonic() < until:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None and message.key():
            if not seen:
                counted.inc(3)
            seen.append(message)
    report.close()
    consumer.close()
    first, second = (json.loads(m.value()) for m in (seen[0], seen[-1]))
    assert {(m.key(), m.partition()) for m in seen} == {(b"sink|two", seen[0].partition())}
    assert (first["kind"], first["part"], first["instance"]) == ("health", "sink", "two")
    assert first["samples"] == [["dead", "-", 0.0]] and second["samples"] == [["dead", "-", 3.0]]
    assert abs(second["at"] / 1000 - time.time()) < 60 and second["at"] > first["at"]


def test_a_registry_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    broker = Broker()
    broker.send([("health", None, b"-")])
    registry = CollectorRegistry()

    def broken() -> float:
        raise RuntimeError("no number")

    Gauge("envstream_waiting", "-", registry=registry).set_function(broken)
    report = HealthReport("sink", "two", registry, broker.bootstrap, every_s=0.1)
    wait_for(lambda: "no number" in caplog.text, 20)
    report.close()


def test_metrics_are_served_while_asked_for_and_a_taken_port_is_one_line() -> None:
    registry = part_metrics.new_registry()
    with (
        telling("desk", registry, metrics=("127.0.0.1", 0), bootstrap=None) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer,
    ):
        assert b"process_resident_memory_bytes" in answer.read()
    with telling("desk", registry, metrics=None, bootstrap=None) as port:
        assert port is None
    sock = listen_on("127.0.0.1", 0)
    taken = sock.getsockname()[1]
    refused = pytest.raises(PortBusy, match=rf"metrics on 127.0.0.1:{taken}: .*give another --metrics")
    with refused, telling("desk", registry, metrics=("127.0.0.1", taken), bootstrap=None):
        pass
    sock.close()


def test_lag_is_none_while_kafka_is_away() -> None:
    away = Offsets(f"127.0.0.1:{free_port()}", answer_s=0.5)
    registry = CollectorRegistry()
    registry.register(part_metrics.Lag(away, lambda: {("cells", 0): 5}))
    assert samples(registry) == []
    with pytest.raises(OffsetsError):
        away.ends([("cells", 0)])
    with pytest.raises(OffsetsError):
        away.committed("g", [("cells", 0)])


def test_one_thread_may_give_the_client_up_while_another_asks_for_it() -> None:
    class Shared(Offsets):
        """Whoever looked once finds it gone the next time."""

        looked = False

        @property
        def _client(self) -> object:
            self.looked = not self.looked
            return "a client" if self.looked else None

        @_client.setter
        def _client(self, client: object) -> None:
            pass

    assert Shared("nowhere:1").admin is not None

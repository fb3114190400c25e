"""Dead letters on a real Kafka and InfluxDB: each listed once, retried with what is current, never the old bytes."""

from __future__ import annotations

import json
import os
import threading

import pytest
from confluent_kafka import Producer

from schemas import messages, topics
from schemas.messages import Dead
from streams import dead_list, dead_retry
from streams.admin import create_topics
from streams.influx import Influx, InfluxSettings
from streams.line_protocol import lines
from streams.target import BadLine, Batch, Busy
from tests.e2e import system
from tests.services import samples
from tests.services.embedded import RunningSink, wait_for
from tests.services.fixtures import InfluxDB
from tests.services.test_influxdb import DAY_S, write

pytestmark = [pytest.mark.needs_kafka, pytest.mark.needs_influxdb]

CONFLICT = f"air_hour,area={samples.AREA},factor=CO,source=s1 flag=5i {DAY_S}000000000"
GATEWAY_LETTER = Dead(
    id="gw-a:7", place="gateway 10.0.0.9:4711", reason="unlisted: MN X1 is in no registry", text="##0101QN=\x1b[31m",
    received=DAY_S * 1000,
)  # fmt: skip


@pytest.fixture
def log(fresh: str) -> str:
    """A Kafka with the topics, all empty."""
    create_topics(fresh, 4, 1)
    return fresh


def send(bootstrap: str, *sent: tuple[str, bytes, bytes | None], partition: int = 1) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for topic, key, value in sent:
        producer.produce(topic, value, key, partition=partition)
    assert producer.flush(20) == 0


def hour(n: int, hours: int = 0) -> tuple[str, bytes, bytes]:
    """A version of an hour's cell."""
    cell = samples.cell(DAY_S + 3600 * hours, n=n)
    return topics.CELLS, samples.key_of(cell), messages.encode(cell)


def env_of(place: InfluxSettings) -> dict[str, str]:
    return os.environ | {
        "ENVSTREAM_INFLUX_URL": place.url, "ENVSTREAM_INFLUX_TOKEN": place.token,
        "ENVSTREAM_INFLUX_ORG": place.org, "ENVSTREAM_INFLUX_BUCKET": place.bucket,
    }  # fmt: skip


def values(influxdb: InfluxDB, place: InfluxSettings, hours: int = 0) -> dict[str, float]:
    """What stands for an hour, by factor."""
    asked = f"SELECT value FROM air_hour WHERE time = {DAY_S + 3600 * hours}s AND valid = true GROUP BY factor"
    return {row["factor"]: row["value"] for row in influxdb.rows(place.bucket, asked)}


def version(n: int) -> dict[str, float]:
    return {factor: float(samples.concentration(factor, n)) for factor in samples.AIR_FACTORS}


def drop(influxdb: InfluxDB, place: InfluxSettings, measurement: str) -> None:
    influxdb.call(
        "POST", f"/api/v2/delete?org={place.org}&bucket={place.bucket}",
        {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z", "predicate": f'_measurement="{measurement}"'},
    )  # fmt: skip


def test_a_type_conflict_becomes_letters_and_after_the_cure_the_current_value_stands(
    influxdb: InfluxDB, log: str
) -> None:
    place = influxdb.make_bucket()
    assert write(place, CONFLICT) == []
    sink = RunningSink(log, Influx(place), embedded=False, linger_s=0.1)
    gone = hour(1, hours=2)
    broken = (topics.CELLS, b"broken", b'{"kind":"hour"')
    send(log, hour(1), hour(1, hours=1), gone, broken)
    wait_for(lambda: sink.stats.messages == 4, 30)
    send(log, hour(2), (gone[0], gone[1], None))
    wait_for(lambda: sink.stats.messages == 6, 30)
    assert sink.stats.dead == 4 * 6 + 1 and values(influxdb, place) == {}
    letters = dead_list.read(log)
    twice = next(x for x in letters if x.dead.id == "cells/1/0/0")
    send(log, (topics.DEAD, b"x", messages.encode(twice.dead)), (topics.DEAD, b"y", messages.encode(GATEWAY_LETTER)))

    told = json.loads(system.run("dead", "list", "--bootstrap", log, "--json").stdout)
    assert told["count"] == len({x["id"] for x in told["letters"]}) == 26
    assert [(g["from"], g["letters"]) for g in told["summary"]] == [("cells", 24), ("gateway", 1), ("cells", 1)]
    assert "field type conflict" in told["summary"][0]["reason"] and told["summary"][1]["reason"] == "unlisted"
    (first,) = (x for x in told["letters"] if x["id"] == "cells/1/0/0")
    assert (first["place"], first["key"].encode(), first["text"].split(",")[0]) == ("cells/1/0", hour(1)[1], "air_hour")

    env = env_of(place)
    refused = system.run("dead", "retry", "cells/1/0/0", "--bootstrap", log, env=env, code=1).stdout
    assert "仍被拒" in refused and "field type conflict" in refused, "before the cure"
    drop(influxdb, place, "air_hour")
    send(log, hour(3))  # the sink stores it as usual; a retry of the older ones must not undo that
    wait_for(lambda: values(influxdb, place) == version(3), 30)
    system.run("dead", "retry", "cells/1/0/0", "--bootstrap", log, env=env)
    assert values(influxdb, place) == version(3), "its current message, not the one the letter is about"
    done = system.run("dead", "retry", "--all", "--bootstrap", log, "--json", env=env, code=1)
    states = {x["id"]: x["state"] for x in json.loads(done.stdout)}
    assert states.pop("cells/1/3") == "refused"
    assert {state for name, state in states.items() if name.startswith("cells/1/2/")} == {"gone"}
    assert {state for name, state in states.items() if not name.startswith("cells/1/2/")} == {"stored"}
    assert "1 letters have no retry" in done.stderr
    assert values(influxdb, place) == version(3) and values(influxdb, place, 1) == version(1)
    assert values(influxdb, place, 2) == {}

    table = system.run("dead", "list", "--bootstrap", log).stdout
    assert "合计 2 条死信" in table and "cells/1/3" in table and "gw-a:7" in table and "\x1b" not in table
    never = system.run("dead", "retry", "gw-a:7", "--bootstrap", log, env=env, code=1).stdout
    assert "不能重试" in never and "loggers backfill" in never
    assert "no letter waits under cells/1/0/0" in system.run(
        "dead", "retry", "cells/1/0/0", "--bootstrap", log, env=env, code=2
    ).stderr  # fmt: skip
    sink.end()
    assert sink.error is None


class SinkIsFaster:
    """Between our look at the log and our write a newer message comes, and the running sink stores it."""

    def __init__(self, place: InfluxSettings, bootstrap: str, newer: list[tuple[str, bytes, bytes]]) -> None:
        self.target, self.bootstrap, self.newer = Influx(place), bootstrap, newer
        self.writes = 0
        self.place = place

    def position(self, topic: str, partition: int) -> int | None:
        return None

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        self.writes += 1
        if self.newer:
            message = self.newer.pop()
            send(self.bootstrap, message)
            assert write(self.place, *lines(message[2])) == []
        return self.target.write(batch, stop)

    def close(self) -> None:
        self.target.close()


def letter_of(offset: int) -> dead_list.Letter:
    dead = Dead(f"cells/1/{offset}/0", f"cells/1/{offset}", "422 no", "", DAY_S * 1000, hour(0)[1].decode())
    return dead_list.Letter(dead, 1)


def test_what_the_sink_stores_meanwhile_is_not_undone(influxdb: InfluxDB, log: str) -> None:
    place = influxdb.make_bucket()
    send(log, hour(1), hour(2))
    racing = SinkIsFaster(place, log, [hour(4), hour(3)])
    (outcome,) = dead_retry.retry(log, [letter_of(0)], racing)
    assert (outcome.state, racing.writes) == ("stored", 3)
    assert "cells/1/3" in outcome.words
    assert values(influxdb, place) == version(4)
    racing.close()


def test_a_store_that_is_down_settles_nothing(log: str) -> None:
    send(log, hour(1), (topics.DEAD, b"x", messages.encode(letter_of(0).dead)))

    class Down:
        def position(self, topic: str, partition: int) -> int | None:
            return None

        def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
            raise Busy(1.0, "connection refused")

        def close(self) -> None:
            pass

    (letter,) = dead_list.read(log)
    (outcome,) = dead_retry.retry(log, [letter], Down())
    assert outcome.state == "busy" and "connection refused" in outcome.words
    assert dead_list.read(log) == [letter]
    wrong = InfluxSettings("http://127.0.0.1:1", "t")
    done = system.run("dead", "retry", "--all", "--bootstrap", log, env=env_of(wrong), code=1)
    assert "暂不可写" in done.stdout and dead_list.read(log) == [letter]

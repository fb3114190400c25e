"""The sink against a real InfluxDB 2: what it answers decides what happens to a line (design §8)."""

from __future__ import annotations

import gzip
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import messages, topics
from schemas.measurements import MEASUREMENTS, RECENT, SINK_PROBE
from schemas.messages import Dead
from schemas.registry import AIR_FACTORS
from streams.influx import Influx, InfluxError, InfluxSettings
from streams.line_protocol import lines
from streams.spool import Spool
from streams.target import BadLine, Batch, Origin
from tests.services import samples, samples_told
from tests.services.embedded import Broker, RunningSink, read, wait_for
from tests.services.fixtures import InfluxDB, InfluxDBProcess, free_port

pytestmark = pytest.mark.needs_influxdb
GO = threading.Event()
DAY_S = samples.DAY * 86_400 - 8 * 3600
OF_DAYS = (
    "air_hour", "air_aqi_hour", "air_area_hour", "air_day", "air_day_factor", "air_year", "air_index", "air_statistic",
)  # fmt: skip
"""Measurements of ``samples.days``."""


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


def batch_of(*made: str) -> Batch:
    batch = Batch()
    for offset, line in enumerate(made):
        batch.add(Origin("cells", 0, offset, 0), [line])
    return batch


def write(settings: InfluxSettings, *made: str) -> list[BadLine]:
    target = Influx(settings)
    try:
        return target.write(batch_of(*made), GO)
    finally:
        target.close()


def bucket_of(place: InfluxSettings, name: str) -> str:
    """The bucket a measurement is declared for."""
    return place.recent_bucket if MEASUREMENTS[name].bucket == RECENT else place.bucket


def count_of(influxdb: InfluxDB, place: InfluxSettings, name: str) -> int:
    """Points of a measurement; 0 when there is none."""
    rows = influxdb.rows(bucket_of(place, name), f'SELECT count(valid) AS n FROM "{name}"')
    return int(rows[0]["n"]) if rows else 0


def test_days_of_messages_come_out_as_they_went_in(influxdb: InfluxDB, broker: Broker) -> None:
    place = influxdb.make_bucket()
    sent = samples.days(3)
    sink = RunningSink(broker.bootstrap, Influx(place))
    broker.send(sent)
    cells = sum(t == "cells" for t, _, _ in sent)
    wait_for(lambda: broker.committed("cells") == cells and broker.committed("verdicts") == len(sent) - cells)
    sink.end()
    count = {name: count_of(influxdb, place, name) for name in OF_DAYS}
    assert count == {
        "air_hour": 3 * 24 * 2 * 6, "air_aqi_hour": 72, "air_area_hour": 432, "air_day": 3, "air_day_factor": 18,
        "air_year": 1, "air_index": 2, "air_statistic": 6,
    }  # fmt: skip
    assert sum(count.values()) == sink.stats.lines
    day = samples.verdict("air-day", DAY_S, samples.DAY)
    (row,) = influxdb.rows(place.bucket, f"SELECT * FROM air_day WHERE valid = true AND time = {DAY_S}s")
    assert (row["aqi"], row["level"], row["category"], row["good"], row["primary"]) == (
        day.aqi, day.level, day.category, day.good, "、".join(day.primary),
    )  # fmt: skip
    # a day stands under its own date when grouped in Beijing time
    by_day = influxdb.rows(
        place.bucket,
        f"SELECT sum(good_n) AS n FROM air_day WHERE valid = true AND time >= {DAY_S - 2 * 86_400}s "
        f"AND time <= {DAY_S}s GROUP BY time(1d) TZ('Asia/Shanghai')",
    )
    assert [r["time"] for r in by_day] == [DAY_S - 2 * 86_400, DAY_S - 86_400, DAY_S]


def test_every_kind_of_message_is_stored_and_none_is_dead(influxdb: InfluxDB, broker: Broker) -> None:
    """All topics at once, and everything twice: nothing is refused, nothing is doubled, every measurement is there."""
    place = influxdb.make_bucket()
    sent = samples.every_message()
    sink = RunningSink(broker.bootstrap, Influx(place), recent=topics.SUNK_RECENT)
    broker.send(sent + sent)
    wait_for(lambda: sink.stats.messages == 2 * len(sent))
    sink.end()
    assert sink.error is None and sink.stats.dead == 0
    expected = Counter(line.split(",")[0] for topic, _, value in sent for line in lines(value, topic))
    assert set(expected) == set(MEASUREMENTS) - {SINK_PROBE.name}
    assert {name: count_of(influxdb, place, name) for name in expected} == expected


@pytest.mark.parametrize("name", sorted(set(MEASUREMENTS) - {SINK_PROBE.name}))
def test_fields_have_the_types_that_are_declared(influxdb: InfluxDB, every_kind: InfluxSettings, name: str) -> None:
    bucket = bucket_of(every_kind, name)
    fields = influxdb.rows(bucket, f'SHOW FIELD KEYS FROM "{name}"')
    assert {f["fieldKey"]: f["fieldType"] for f in fields} == {k: f.type for k, f in MEASUREMENTS[name].fields.items()}
    tags = influxdb.rows(bucket, f'SHOW TAG KEYS FROM "{name}"')
    assert tuple(t["tagKey"] for t in tags) == MEASUREMENTS[name].tags


@pytest.fixture(scope="module")
def every_kind(influxdb: InfluxDB) -> InfluxSettings:
    """A bucket with one message of each kind."""
    place = influxdb.make_bucket()
    assert write(place, *(line for topic, _, value in samples.every_message() for line in lines(value, topic))) == []
    return place


def test_a_condition_that_ends_is_no_longer_open(influxdb: InfluxDB) -> None:
    place = influxdb.make_bucket()
    h = 3600
    for state, since, until in (("began", 0, 0), ("continues", 0, h), ("continues", h, h), ("ended", h, h)):
        said = samples.condition(state, DAY_S + since, DAY_S + until, DAY_S)
        assert write(place, *lines(messages.encode(said))) == []
        (row,) = influxdb.rows(place.bucket, "SELECT * FROM condition WHERE valid = true")
        assert (row["state"], row["open"], row["since"]) == (state, int(state != "ended"), (DAY_S + since) * 1000)
        assert row["time"] == DAY_S


def test_a_rewrite_changes_every_field_and_adds_no_point(influxdb: InfluxDB) -> None:
    place = influxdb.make_bucket()
    first = samples.verdict("air-day", DAY_S, 1)
    withdrawn = samples.verdict(
        "air-day", DAY_S, aqi=None, level=None, category=None, colour=None, primary=[], good=None, valid=False,
        reason="PM2.5: 19 hours", conc={}, iaqi={}, stations_valid={},
    )  # fmt: skip
    for message in (first, first, withdrawn):
        assert write(place, *lines(messages.encode(message))) == []
    (row,) = influxdb.rows(place.bucket, "SELECT * FROM air_day")
    assert (row["aqi"], row["valid"], row["good_n"], row["reason"]) == (-1, False, 0, "PM2.5: 19 hours")
    assert influxdb.rows(place.bucket, "SELECT * FROM air_day WHERE valid = true") == []
    factors = influxdb.rows(place.bucket, "SELECT * FROM air_day_factor")
    assert sorted(r["factor"] for r in factors) == sorted(AIR_FACTORS) and not any(r["valid"] for r in factors)


def test_within_one_batch_the_later_line_wins(influxdb: InfluxDB) -> None:
    place = influxdb.make_bucket()
    made = [line for n in range(50) for line in lines(messages.encode(samples.cell(DAY_S, n=n)))]
    assert write(place, *made) == []
    rows = influxdb.rows(place.bucket, "SELECT value FROM air_hour GROUP BY factor")
    assert {r["factor"]: r["value"] for r in rows} == {f: float(samples.concentration(f, 49)) for f in AIR_FACTORS}


@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_malformed_line_among_three(influxdb: InfluxDB, at: int) -> None:
    place = influxdb.make_bucket()
    made = [f"m,n={n} v=1i {DAY_S + n}000000000" for n in range(3)]
    made[at] = "m,n=x v=nonsense 1"
    (bad,) = write(place, *made)
    assert bad.line == made[at] and bad.origin.offset == at
    assert bad.reason.startswith("400") and "unable to parse" in bad.reason
    assert influxdb.rows(place.bucket, "SELECT count(v) AS n FROM m")[0]["n"] == 2


def test_field_type_conflicts_are_found_by_halving_and_the_rest_is_stored(influxdb: InfluxDB) -> None:
    place = influxdb.make_bucket()
    assert write(place, f"m,n=0 v=1i {DAY_S}000000000") == []
    made = [f"m,n={n} v={'1.5' if n in (7, 8, 60) else '2i'} {DAY_S}000000000" for n in range(100)]
    bad = write(place, *made)
    assert [b.origin.offset for b in bad] == [7, 8, 60]
    assert all(b.reason.startswith("422") and "field type conflict" in b.reason for b in bad)
    assert influxdb.rows(place.bucket, "SELECT count(v) AS n FROM m")[0]["n"] == 97


_numbers = itertools.count()


@pytest.fixture
def texts_bucket(influxdb: InfluxDB) -> InfluxSettings:
    return influxdb.make_bucket()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    area=st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(
        lambda s: s[-1] != "\\"
    ),
    reason=st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"))),
)
def test_influxdb_reads_any_text_as_we_wrote_it(
    influxdb: InfluxDB, texts_bucket: InfluxSettings, area: str, reason: str
) -> None:
    source = f"s{next(_numbers)}"
    cell = samples.cell(
        DAY_S, source, area=area, factors=["CO"], values=["1.5"], flags='"', reasons=[reason], origins="L", means=[],
        minutes=[],
    )  # fmt: skip
    assert write(texts_bucket, *lines(messages.encode(cell))) == []
    (row,) = influxdb.rows(texts_bucket.bucket, f"SELECT * FROM air_hour WHERE source = '{source}'")
    assert (row["area"], row["reason"], row["flag"], row["value"]) == (area, reason, '"', 1.5)


def test_bad_lines_end_in_dead_and_the_rest_is_committed(influxdb: InfluxDB, broker: Broker) -> None:
    """An agent of another version made a value a whole number: the words of the server reach ``dead``."""
    place = influxdb.make_bucket()
    assert write(place, f"air_hour,area={samples.AREA},factor=CO,source=s1 flag=5i {DAY_S}000000000") == []
    sink = RunningSink(broker.bootstrap, Influx(place))
    sent = [("cells", b"k", messages.encode(samples.cell(DAY_S + n * 3600, n=n))) for n in range(30)]
    broker.send(sent)
    wait_for(lambda: broker.committed("cells") == 30)
    sink.end()
    letters = [msgspec.json.decode(m.value(), type=Dead) for m in read(broker.bootstrap, "dead", 180)]
    stored = influxdb.rows(place.bucket, "SELECT count(valid) AS n FROM air_hour")
    assert len(letters) == sink.stats.dead > 0
    assert sum(r["n"] for r in stored) == sink.stats.lines == 180 - len(letters)
    assert all("field type conflict" in d.reason and place.token not in d.reason for d in letters)


def test_a_spool_file_loads_as_it_is(influxdb: InfluxDB, broker: Broker, tmp_path: Path) -> None:
    """``influx write --bucket B --file cells-0.lp`` posts the file, comments included."""
    sent = samples.days(2)
    sink = RunningSink(broker.bootstrap, Spool(tmp_path, epoch="e1"))
    broker.send(sent)
    wait_for(lambda: sink.stats.messages == len(sent))
    sink.end()
    place = influxdb.make_bucket()
    for path in tmp_path.glob("*.lp"):
        influxdb.call("POST", f"/api/v2/write?org={place.org}&bucket={place.bucket}", path.read_bytes())
    assert influxdb.rows(place.bucket, "SELECT count(valid) AS n FROM air_hour")[0]["n"] == 2 * 24 * 2 * 6


@pytest.mark.parametrize(
    ("change", "status", "cure"),
    [
        ({"token": "wrong-token-of-the-tests"}, "401", "ENVSTREAM_INFLUX_TOKEN"),
        ({"bucket": "no-such-bucket"}, "404", "envstream init"),
        ({"org": "no-such-org"}, "404", "ENVSTREAM_INFLUX_ORG"),
    ],
)
def test_what_a_person_must_mend_ends_the_sink_with_one_line(
    influxdb: InfluxDB, broker: Broker, change: dict[str, str], status: str, cure: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good = influxdb.make_bucket()
    place = InfluxSettings(**{"url": good.url, "token": good.token, "org": good.org, "bucket": good.bucket} | change)
    sink = RunningSink(broker.bootstrap, Influx(place))
    broker.send(samples.days(1))
    assert sink.ended(10)
    text = str(sink.error)
    assert isinstance(sink.error, InfluxError) and "\n" not in text
    assert all(word in text for word in (status, cure, place.url, place.org, place.bucket))
    assert broker.committed("cells") < 0
    assert place.token not in text + repr(place) + caplog.text


def test_a_read_only_token_is_told_apart(influxdb: InfluxDB) -> None:
    good = influxdb.make_bucket()
    read_only = influxdb.make_token([{"action": "read", "resource": {"type": "buckets", "orgID": influxdb.org_id()}}])
    with pytest.raises(InfluxError, match=r"403 .* write permission"):
        write(InfluxSettings(good.url, read_only, good.org, good.bucket), "m v=1 1")


def test_no_influxdb_yet_is_waited_for(influxdb: InfluxDB, broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    place = InfluxSettings(f"http://127.0.0.1:{free_port()}", "t", "o", "b")
    sink = RunningSink(broker.bootstrap, Influx(place))
    broker.send(samples.days(1))
    wait_for(lambda: sink.stats.waits >= 3)
    assert sink.error is None and broker.committed("cells") < 0
    assert sink.end() < 1.0
    told = [r for r in caplog.records if "does not take writes" in r.getMessage()]
    assert len(told) == 1 and "refused" in told[0].getMessage(), "once per state, not per try"


def test_influxdb_killed_and_started_again_in_the_middle(
    own_influxdb: InfluxDBProcess, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    place = own_influxdb.make_bucket()
    sent = samples.days(60)
    cells = sum(t == "cells" for t, _, _ in sent)
    sink = RunningSink(broker.bootstrap, Influx(place), batch_lines=200)

    def feed() -> None:
        for n in range(0, len(sent), 50):
            broker.send(sent[n : n + 50])
            time.sleep(0.03)

    feeder = threading.Thread(target=feed)
    feeder.start()
    wait_for(lambda: sink.stats.batches > 5)
    own_influxdb.stop(hard=True)
    wait_for(lambda: sink.stats.waits >= 2)
    held = broker.committed("cells")
    time.sleep(0.5)
    assert broker.committed("cells") == held < cells
    own_influxdb.start()
    feeder.join()
    wait_for(lambda: broker.committed("cells") == cells and broker.committed("verdicts") == len(sent) - cells, 30)
    sink.end()
    expected = {line.split(" ")[0] + line.rsplit(" ", 1)[1] for _, _, v in sent for line in lines(v)}
    stored = sum(count_of(own_influxdb, place, name) for name in OF_DAYS)
    assert stored == len(expected), "nothing lost, nothing doubled"
    told = [r.getMessage() for r in caplog.records if r.name == "envstream.influx"]
    assert len(told) == 2 and "does not take writes" in told[0] and "takes writes again" in told[1], told


def reading(factor: str, age_days: float, value: str = "1.5") -> str:
    stamp = time.time_ns() - int(age_days * 86_400 * 10**9)
    return (
        f'reading,factor={factor},kind=air,period=m,source=s value={value},unit="",flag="N",backfilled=false,'
        f"valid=true {stamp}"
    )


def test_readings_older_than_the_bucket_keeps_are_no_dead_letters(influxdb: InfluxDB, broker: Broker) -> None:
    """A replay of an old year: what is judged of it stays, its readings are left out and counted."""
    place = influxdb.make_bucket(recent_days=90)
    now = int(time.time())
    sink = RunningSink(broker.bootstrap, Influx(place), recent=topics.SUNK_RECENT)
    cells = [(t, k, v) for t, k, v in samples.days(1) if t == "cells"]
    old = [("readings-emission", b"", messages.encode(samples_told.block(DAY_S + 60 * n))) for n in range(50)]
    fresh = [("readings-emission", b"", messages.encode(samples_told.block(now - 60 * n))) for n in range(5)]
    broker.send([*old, *cells, *fresh])
    wait_for(lambda: sink.stats.messages == len(old) + len(cells) + len(fresh))
    sink.end()
    assert (sink.stats.left_out, sink.stats.dead) == (50 * 4, 0)
    assert sink.stats.lines == len(cells) * 6 + 5 * 4
    assert count_of(influxdb, place, "air_hour") == len(cells) * 6
    assert count_of(influxdb, place, "reading") == 5 * 4


def test_what_the_server_finds_too_old_is_counted_beside_a_type_conflict(influxdb: InfluxDB) -> None:
    """Its clock, or its retention, is another than ours: its words are the edge, and a real fault is still found."""
    place = influxdb.make_bucket(recent_days=90)
    assert write(place, reading("typed", 0.0)) == []
    target = Influx(replace(place, recent_days=400))
    made = [reading(f"f{n}", 100 if n % 3 else 1) for n in range(30)]
    batch = batch_of(*made)
    assert target.write(batch, GO) == [] and batch.left_out == 20
    conflict = reading("typed", 0.0, '"text"')
    batch = batch_of(*made[:7], conflict, *made[7:])
    (bad,) = target.write(batch, GO)
    target.close()
    assert (bad.line, bad.origin.offset) == (conflict, 7) and "field type conflict" in bad.reason
    assert batch.left_out == 20
    assert count_of(influxdb, place, "reading") == 11


def test_both_buckets_must_be_there(influxdb: InfluxDB) -> None:
    place = influxdb.make_bucket()
    found = influxdb.call("GET", f"/api/v2/buckets?name={place.recent_bucket}&orgID={influxdb.org_id()}")["buckets"]
    influxdb.call("DELETE", f"/api/v2/buckets/{found[0]['id']}")
    with pytest.raises(InfluxError, match=rf"bucket {place.recent_bucket}\).*404.*envstream init"):
        write(place, reading("x", 0.0))


def test_compressed_and_as_fast_as_it_should_be(influxdb: InfluxDB) -> None:
    """Not a benchmark: only that 5 000 lines are one request of a size a network likes."""
    place = influxdb.make_bucket()
    made = [line for n in range(840) for line in lines(messages.encode(samples.cell(DAY_S + 3600 * n, n=n)))][:5000]
    assert len(gzip.compress("\n".join(made).encode())) < 150_000
    assert write(place, *made) == []

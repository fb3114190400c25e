"""Two buckets, and a token that may come later, against a small HTTP server; InfluxDB itself: tests/services."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams import influx
from streams.influx import Influx, InfluxError
from streams.target import Batch, Busy, Origin
from tests.streams.test_influx_answers import GO, TOKEN, Answer, Server, error

MAIN, RECENT = "envstream", "envstream_recent"
OLD = "failure writing points to database: partial write: dropped {} points outside retention policy of duration 1h"


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


def reading(n: int, age_s: float = 0.0) -> str:
    stamp = time.time_ns() - int(age_s * 10**9)
    return f'reading,factor=f{n},kind=air,period=m,source=s value={n},unit="",flag="N",valid=true {stamp}'


def letter(n: int) -> str:
    return f'dead_letter,topic=cells id="{n}",reason="r",letters=1i,valid=true {time.time_ns()}'


def cell(n: int) -> str:
    return f"air_hour,area=a,factor=f{n},source=s value={n} 1"


def batch(*lines: str) -> Batch:
    made = Batch()
    for n, line in enumerate(lines):
        made.add(Origin("cells", 0, n, 0), [line])
    return made


def test_each_line_goes_into_its_bucket_in_order(server: Server, target: Influx) -> None:
    made = [line for n in range(5) for line in (cell(n), reading(n), letter(n))]
    assert target.write(batch(*made), GO) == []
    assert server.buckets == [MAIN, RECENT]
    assert server.stored == [*made[::3], *(line for n in range(5) for line in made[3 * n + 1 : 3 * n + 3])]


@pytest.mark.parametrize("busy", ["air_hour", "reading"])
def test_what_one_bucket_does_not_take_now_comes_again(server: Server, target: Influx, busy: str) -> None:
    made = batch(reading(1), cell(1))
    server.judge = lambda lines: error(503, "full") if lines[0].startswith(busy) else (204, {}, b"")
    for _ in range(3):
        with pytest.raises(Busy):
            target.write(made, GO)
    server.judge = lambda _: (204, {}, b"")
    assert target.write(made, GO) == []
    assert {line.split(",")[0] for line in server.stored} == {"air_hour", "reading"}


def test_a_500_of_one_bucket_is_not_held_against_the_other(server: Server, target: Influx) -> None:
    lines = [reading(0), cell(0), reading(1), cell(1)]
    poison = lines[2]

    probed = []

    def judge(posted: list[str]) -> Answer:
        if posted[0].startswith("sink_probe"):
            probed.append(server.buckets[-1])
        return error(500, "internal error") if poison in posted else (204, {}, b"")

    server.judge = judge
    made = batch(*lines)
    for _ in range(influx._TRIES_BEFORE_SUSPECT):
        with pytest.raises(Busy):
            target.write(made, GO)
    (bad,) = target.write(made, GO)
    assert (bad.line, bad.origin.offset) == (poison, 2)
    assert set(probed) == {RECENT}


def test_what_is_older_than_is_kept_is_left_out_unsent_and_told_once(
    server: Server, target: Influx, caplog: pytest.LogCaptureFixture
) -> None:
    day = 86_400
    for _ in range(2):
        made = batch(cell(1), reading(1, 91 * day), reading(2, 89 * day), reading(3, 10_000 * day))
        assert target.write(made, GO) == []
        assert made.left_out == 2
    only_old = batch(reading(1, 91 * day))
    posts = server.posts
    assert target.write(only_old, GO) == [] and server.posts == posts and only_old.left_out == 1
    (told,) = [r.getMessage() for r in caplog.records]
    assert "envstream_recent" in told and "90 days" in told
    assert len([line for line in server.stored if line.startswith("reading,factor=f2")]) == 2


def test_what_the_server_finds_too_old_is_no_bad_line(server: Server, target: Influx) -> None:
    server.judge = lambda lines: error(422, OLD.format(3)) if len(lines) == 10 else (204, {}, b"")
    made = batch(*map(reading, range(10)))
    assert target.write(made, GO) == [] and made.left_out == 3
    assert server.posts == 1, "it is not looked for"


def test_a_main_bucket_that_drops_what_is_old_needs_a_person(server: Server, target: Influx) -> None:
    server.judge = lambda _: error(422, OLD.format(1))
    with pytest.raises(InfluxError, match=r"envstream\).*must keep everything") as caught:
        target.write(batch(cell(1)), GO)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("bucket", "line"), [(MAIN, cell(1)), (RECENT, letter(1))])
def test_a_bucket_that_is_not_there_is_named(server: Server, target: Influx, bucket: str, line: str) -> None:
    server.judge = lambda _: error(404, "bucket not found")
    with pytest.raises(InfluxError, match=rf"bucket {bucket}\).*envstream init"):
        target.write(batch(line), GO)


def test_a_token_that_comes_later_is_waited_for_and_told_once(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "sink.token"
    target = Influx(replace(server.settings, token="", token_file=path))
    for text in (None, None, "", "\n"):  # not there, then made and not written yet
        if text is not None:
            path.write_text(text)
        with pytest.raises(Busy):
            target.write(batch(cell(1)), GO)
    assert server.posts == 0
    (told,) = [r.getMessage() for r in caplog.records]
    assert str(path) in told and "envstream init --tokens" in told
    path.write_text(f"{TOKEN}\n")
    assert target.write(batch(cell(1)), GO) == []  # the server looks at the token
    assert len(server.stored) == 1 and TOKEN not in caplog.text
    target.close()


def test_a_token_file_that_cannot_be_one_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("geheim and\nmore")
    for path, words in ((tmp_path, "Is a directory"), (tmp_path / "words", "characters no token has")):
        target = Influx(replace(server.settings, token="", token_file=path))
        with pytest.raises(InfluxError, match=words) as caught:
            target.write(batch(cell(1)), GO)
        assert str(path) in str(caught.value) and "geheim" not in str(caught.value)
        target.close()

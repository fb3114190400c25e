"""The whole path on the embedded default, run as a user runs it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from streams import hj212
from streams.view import READER, Behind
from streams.writer import READERS
from tests.e2e import system

pytestmark = pytest.mark.whole

SEEDS = int(os.environ.get("ENVSTREAM_CHAOS_SEEDS", "1"))


@pytest.fixture(scope="module")
def december(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of twelve stations: 2 880 rows."""
    folder = tmp_path_factory.mktemp("data")
    return system.write_csv(folder / "december.csv.gz", system.sample_rows("2015-12-01", "2015-12-10"))


@pytest.fixture(scope="module")
def undisturbed(december: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, str]]:
    """The summary and the points of a run nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "data"
    return system.once(folder, december), system.verdicts(folder)


def test_stream_equals_the_assessment_of_the_file(undisturbed: Any, december: Path) -> None:
    summary, points = undisturbed
    expected = system.assess(december)
    assert summary["air"]["years"] == expected["years"]
    assert summary["air"]["rows"] == expected["rows"]
    assert summary["accounting"]["balanced"]
    assert summary["accounting"]["in"] == summary["accounting"]["stored"] == expected["rows"]
    days = {line["date"]: line for line in system.assess(december, days=True)}
    shown = {key: fields for key, fields in points.items() if key.startswith("air_day,")}
    assert len(shown) == len(days) == 10
    for line in days.values():
        assert any(f"aqi={line['aqi']}i" in fields for fields in shown.values())


@pytest.mark.skipif(not system.YEAR.exists(), reason="the year's file is not beside the repository")
def test_the_year_2015_of_twelve_stations(tmp_path: Path) -> None:
    summary = system.once(tmp_path / "data", system.YEAR)
    assert summary["air"]["years"] == system.assess(system.YEAR)["years"]
    assert summary["accounting"] == {
        "in": 105_696, "stored": 105_696, "flagged": 0, "duplicates": 0, "dead": 0, "unjudged": 0, "balanced": True,
    }  # fmt: skip


def test_the_same_replay_again_changes_nothing(tmp_path: Path, december: Path, undisturbed: Any) -> None:
    summary, points = undisturbed
    folder = tmp_path / "data"
    with system.up(folder) as running:
        first = running.replay(december)
        again = running.replay(december)
        assert first["answered"] == again["answered"] == 2_880
        settle(running)
    assert system.verdicts(folder) == points
    # and a third time after a restart on the same folder: the log goes on where it was
    third = system.once(folder, december)
    assert third["air"]["years"] == summary["air"]["years"]
    counts = third["accounting"]
    assert counts["stored"] == 2_880 and counts["duplicates"] == 2 * 2_880 and counts["balanced"]
    assert system.verdicts(folder) == points


def settle(running: system.Up) -> None:
    """Wait until worker, sink and view have taken and committed everything, three times in a row."""
    quiet, until = 0, time.monotonic() + 180
    while quiet < 3:
        behind = Behind(running.told()["bootstrap"], (*READERS, READER))
        quiet = quiet + 1 if not any(behind.messages().values()) else 0
        behind.close()
        assert time.monotonic() < until
        time.sleep(0.3)


@pytest.mark.parametrize("part", ["worker", "gateway", "broker", "sink"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_kill_9_in_the_middle_of_a_replay(
    part: str, seed: int, tmp_path: Path, december: Path, undisturbed: Any
) -> None:
    summary, points = undisturbed
    folder = tmp_path / "data"
    chance = random.Random(f"{part}-{seed}")
    with system.up(folder) as running:
        report: dict[str, Any] = {}
        player = threading.Thread(target=lambda: report.update(running.replay(december)))
        player.start()
        journal = folder / "journal" / "00000001.log"
        wanted = chance.uniform(0.1, 0.8) * 1_400_000  # the journal of an undisturbed run has 1.5 MB
        while player.is_alive() and (not journal.exists() or journal.stat().st_size < wanted):
            time.sleep(0.01)
        assert player.is_alive(), "the replay was over before the kill"
        running.kill(part)
        player.join(300)
        assert report["answered"] == 2_880
        settle(running)
    assert f"{part} was killed (SIGKILL)" in (folder / "up.err").read_text()
    assert system.verdicts(folder) == points
    after = system.once(folder, december)
    assert after["air"]["years"] == summary["air"]["years"]
    assert after["accounting"]["stored"] == 2_880 and after["accounting"]["balanced"]


def test_every_bad_row_ends_somewhere(tmp_path: Path) -> None:
    rows = system.sample_rows("2015-12-01", "2015-12-02")
    clean = system.assess(system.write_csv(tmp_path / "clean.csv", rows))
    at = len(rows) // 2
    here = rows[at]
    bad = [
        [here[0], "Atlantis", "1", "2", "300", "4", "5", "6"],  # an unknown station
        ["2030-01-01 00:00", here[1], "1", "2", "300", "4", "5", "6"],  # from the future
        ["2015-13-45 00:00", here[1], "1", "2", "300", "4", "5", "6"],  # no such day
        ["broken"],  # a broken line
        [here[0], here[1], "1", "2", "three hundred", "4", "5", "6"],  # a word for a number
    ]
    twice = [*here[:2], "999", *here[3:]]  # the same hour with another value: the later one wins
    negative = ["2015-12-03 00:00", "Dongsi", "-5", "NA", "", "40", "50", "60"]
    absurd = ["2015-12-03 01:00", "Dongsi", "inf", "nan", "1e40", "40", "50", "60"]
    file = system.write_csv(tmp_path / "dirty.csv", [*rows[: at + 1], *bad, twice, *rows[at + 1 :], negative, absurd])
    folder = tmp_path / "data"
    summary = system.once(folder, file)
    counts = summary["accounting"]
    assert counts["in"] == len(rows) + len(bad) + 3
    assert counts["balanced"]
    assert counts["dead"] == 4, summary["dead_reasons"]
    assert counts["duplicates"] == 1
    assert counts["stored"] == len(rows) + 3  # negative, absurd and from the future: kept, flagged
    assert counts["flagged"] == 3
    points = system.verdicts(folder)
    assert clean["years"]["2015"]["good"] == summary["air"]["years"]["2015"]["good"]
    assert any("source=Dongsi" in key and "negative" in fields for key, fields in points.items())
    assert sum("unreadable" in fields for fields in points.values()) == 3
    assert any("future" in fields and "valid=false" in fields for fields in points.values())
    so2 = [f for k, f in points.items() if k.startswith("air_hour,") and f"source={here[1]}" in k and "factor=SO2" in k]
    assert sum("value=999" in fields for fields in so2) == 1


# ---- what a person gets wrong


def test_errors_are_one_line_with_exit_code_2(tmp_path: Path) -> None:
    for words, names in (
        (["up", "--once", "--replay", tmp_path / "no.csv"], ["no.csv"]),
        (["up", "--once"], ["--replay"]),
        (["assess", "air", tmp_path / "no.csv"], ["no.csv"]),
        (["replay", system.SAMPLE, "--to", "tcp://x"], ["hj212://HOST:PORT"]),
        (["replay", system.SAMPLE, "--to", "hj212://127.0.0.1:1"], ["127.0.0.1"]),
        (["up", "--district", tmp_path / "no.toml"], ["no.toml"]),
    ):
        done = system.run(*words, code=2)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "Traceback" not in done.stderr
        for name in names:
            assert name in done.stderr


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    file = tmp_path / "hours.csv"
    file.write_text("hour_start,station,so2_ug_m3\n2015-01-01 00:00,Dongsi,1\n")
    for words in (["assess", "air", file], ["up", "--once", "--replay", file, "--data", tmp_path / "d"]):
        done = system.run(*words, code=2)
        assert "no2_ug_m3" in done.stderr and "hours.csv" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_busy_port_is_named_with_its_owner(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = system.run("up", "--data", tmp_path / "d", "--port", str(port), code=2)
    assert str(port) in done.stderr and f"pid {os.getpid()}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_second_up_says_who_has_the_folder_and_the_port(tmp_path: Path) -> None:
    with system.up(tmp_path / "d") as running:
        done = system.run("up", "--data", tmp_path / "d", "--port", "0", "--control-port", "0", code=2)
        assert f"pid {running.process.pid}" in done.stderr and str(tmp_path / "d") in done.stderr
        port = running.told()["port"]
        done = system.run("up", "--data", tmp_path / "other", "--port", str(port), code=2)
        assert str(port) in done.stderr and "gateway" in done.stderr


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = system.run("up", "--data", file / "under", code=2)
    assert str(file) in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_live_log_refuses_a_replay(tmp_path: Path) -> None:
    with system.up(tmp_path / "d") as running:
        told = running.told()
        with socket.create_connection(("127.0.0.1", told["port"])) as logger:
            logger.sendall(b"GET / HTTP/1.0\r\n\r\n##0000nonsense\r\n")  # a port scan decides nothing
            hour = hj212.hour_packet("20151201010000000", "BJAIR2013000000000000001", "1", 1448899200, {"SO2": "3"})
            logger.sendall(hour)  # the first registered logger makes the log live
            assert b"CN=9014" in logger.recv(1_000)
        done = system.run(
            "replay", system.SAMPLE, "--to", f"hj212://127.0.0.1:{told['port']}",
            "--control", f"127.0.0.1:{told['control_port']}", code=2,
        )  # fmt: skip
    assert "live" in done.stderr and "fresh folder" in done.stderr


def test_the_parts_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    process = subprocess.Popen(
        [*system.ENVSTREAM, "up", "--no-people", "--data", str(folder), "--port", "0", "--control-port", "0"],
        cwd=system.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    told = system.Up(process, folder)  # type: ignore[arg-type]
    until = time.monotonic() + 60
    while not (folder / "up.json").exists() or not (folder / "up.json").read_text():
        assert time.monotonic() < until
        time.sleep(0.1)
    pids = told.told()["pids"]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 30
    while any(system.alive(pid) for pid in pids.values()):
        assert time.monotonic() < until, "parts were left behind"
        time.sleep(0.1)


@pytest.mark.parametrize("part", ["sink", "worker"])
def test_a_slow_reader_slows_the_writer_and_loses_nothing(part: str, tmp_path: Path) -> None:
    """The embedded broker drops the oldest beyond 5 MB a partition; the writer must wait before that."""
    folder = tmp_path / "data"
    with system.up(folder) as running:
        report: dict[str, Any] = {}
        player = threading.Thread(target=lambda: report.update(running.replay(system.SAMPLE)))
        player.start()
        journal = folder / "journal" / "00000001.log"
        while not journal.exists() or journal.stat().st_size < 300_000:
            time.sleep(0.05)
        os.kill(running.pid(part), signal.SIGSTOP)
        try:
            size, since = -1, time.monotonic()
            while time.monotonic() - since < 2:  # until it has stood still for two seconds
                if journal.stat().st_size != size:
                    size, since = journal.stat().st_size, time.monotonic()
                assert player.is_alive(), "the writer did not wait for the slowest reader"
                time.sleep(0.05)
        finally:
            os.kill(running.pid(part), signal.SIGCONT)
        player.join(300)
        assert report["answered"] == 17_568
        settle(running)
    days = [fields for key, fields in system.verdicts(folder).items() if key.startswith("air_day,")]
    assert sum("good=true" in fields for fields in days) == system.assess(system.SAMPLE)["years"]["2015"]["good"]
    cells = [key for key in system.verdicts(folder) if key.startswith("air_hour,")]
    assert len(cells) == 17_568 * 6


def test_a_long_journal_is_rebuilt(tmp_path: Path) -> None:
    """More than the embedded broker would keep unread: the rebuild must not wait for a reader that is not there yet."""
    folder = tmp_path / "data"
    first = system.once(folder, system.SAMPLE)
    points = system.verdicts(folder)
    with system.up(folder) as running:
        settle(running)
    assert system.verdicts(folder) == points
    assert first["accounting"]["stored"] == 17_568

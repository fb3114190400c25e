"""``envstream simulate`` as a person uses it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

from tests.e2e.system import ENVSTREAM, ROOT, run

SCENARIOS = ROOT / "districts" / "example" / "scenarios"


def test_a_recording_and_its_report(tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl.gz"
    words = ["simulate", "--days", "2", "--seed", "7", "--scenario", "silent", "--scenario", "exceedance@1.01"]
    report = json.loads(run(*words, "--to", file, "--json").stdout)
    assert (report["start"], report["days"], report["seed"]) == ("2026-04-06", 2, 7)
    assert report["scenarios"] == ["silent", "exceedance"]
    assert report["full_days"] == []
    assert report["to"] == str(file)
    assert report["packets"] == report["written"] == sum(report["by_cn"].values()) == sum(report["by_kind"].values())
    assert set(report["by_cn"]) == {"2061", "2031", "2062", "2065", "2066"}
    assert report["by_kind"]["air"] == 2 * 8 * 24
    assert report["packets_per_s"] > 0
    assert {(each["scenario"], each["kind"]) for each in report["truth"]} == {
        ("silent", "silent"), ("silent", "missing"), ("silent", "backfilled"), ("exceedance", "outlet_hours"),
    }  # fmt: skip
    again = tmp_path / "again.jsonl.gz"
    run(*words, "--to", again, "--json")
    assert again.read_bytes() == file.read_bytes()
    plain = tmp_path / "plain.jsonl"
    done = run("replay", file, "--district", "districts/example", "--to", plain)
    assert str(report["packets"]) in done.stdout
    assert len(plain.read_text(encoding="utf-8").splitlines()) == report["packets"] + 3  # head, cut, end


def test_dev_null_prints_the_rate() -> None:
    done = run("simulate", "--days", "1", "--full", "all", "--to", "/dev/null")
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines() if line.count(" "))
    assert lines["packets"]
    assert "packets per s" in done.stdout
    assert "virtual s per s" in done.stdout
    assert "100 % of 24 hours" in done.stderr


def test_the_truth_alone_sends_nothing() -> None:
    done = run("simulate", "--truth", "--scenario", "episode@0.99", "--scenario", "upstream-wave")
    assert "good yes, category 良, primary PM2.5" in done.stdout
    assert done.stdout.count("arrival") == 4
    told = json.loads(run("simulate", "--truth", "--json", "--scenario", "treatment-off", "--full", "3").stdout)
    assert [each["expected"] for each in told] == [{"rule": "R1", "suspected": True}]
    assert json.loads(run("simulate", "--truth", "--json", "--scenario", "treatment-off").stdout) == []


def test_everything_wrong_is_said_at_once() -> None:
    done = run(
        "simulate", "--days", "3", "--full", "5", "--full", "x", "--scenario", "clipped", "--scenario", "unheard-of",
        "--scenario", "exceedance", "--scenario", "exceedance@2", "--to", "/dev/null", code=2,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    for part in (
        "--full 5: days of a run of 3", "--full x: days of a run of 3", "scenario clipped: to: is on day 7",
        "scenario unheard-of: cannot be read",
    ):  # fmt: skip
        assert any(part in line for line in lines), part
    done = run("simulate", "--scenario", "exceedance", "--scenario", "exceedance@2", "--to", "/dev/null", code=2)
    assert "both change NOx of lanfeng-sinter-head at the same time" in done.stderr
    assert "Traceback" not in done.stderr


def test_nowhere_to_send_it_and_nobody_there(tmp_path: Path) -> None:
    assert "nowhere to send it" in run("simulate", code=2).stderr
    assert "--to" in run("simulate", "--to", tmp_path / "no" / "file", "--days", "1", code=2).stderr
    assert (
        "nobody of the registry speaks" in run("simulate", "--start", "2020-01-01", "--to", "/dev/null", code=2).stderr
    )
    done = run("simulate", "--days", "1", "--to", "hj212://127.0.0.1:1", "--control", "127.0.0.1:2", code=2)
    assert "127.0.0.1:2: nobody listens there" in done.stderr
    wall = run("simulate", "--speed", "1", "--start", "2026-04-06", "--to", "hj212://127.0.0.1:1", code=2)
    assert "--speed 1 is the wall clock" in wall.stderr
    assert "as hj212://HOST:PORT" in run("simulate", "--to", "hj212://nobody", code=2).stderr


def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    with subprocess.Popen(
        [*ENVSTREAM, "simulate", "--days", "2000", "--to", str(file)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while not file.exists() or not file.stat().st_size:
            assert time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_help_keeps_its_lines() -> None:
    for command in ("simulate", "replay"):
        lines = run(command, "--help").stdout.splitlines()
        assert "\\b" not in "".join(lines)
        assert sum(line.startswith(f"  envstream {command} ") for line in lines) >= 3


def test_a_recording_is_not_replayed_into_itself(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    run("simulate", "--days", "1", "--to", file)
    before = file.read_bytes()
    done = run("replay", file, "--district", "districts/example", "--to", tmp_path / "." / "one.jsonl", code=2)
    assert "is what is replayed" in done.stderr
    assert file.read_bytes() == before


def test_days_beyond_the_calendar_and_numbers_beyond_sense() -> None:
    for words in (("--start", "9999-12-31"), ("--start", "1899-12-31"), ("--start", "2200-12-31", "--days", "2")):
        assert "a run is within 1900 to 2200" in run("simulate", *words, "--to", "/dev/null", code=2).stderr
    for name in ("clock-off@1e8", "exceedance@1e400", "upstream-wave@1e20"):
        assert "a number from 0 to 1000" in run("simulate", "--scenario", name, "--to", "/dev/null", code=2).stderr
    # converted 400 mg/m3 are more than 300 measured, where the range ends: those hours would be T, not EXCEED
    beyond = run("simulate", "--scenario", "exceedance@8", "--to", "/dev/null", code=2).stderr
    assert "beyond the analyser of lanfeng-sinter-head: it ends at 300" in beyond

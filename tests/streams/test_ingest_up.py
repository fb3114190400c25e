"""The embedded default takes readings too, in the gateway's process: what it accepted is there after any death."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from schemas import times, topics
from streams import journal
from tests.e2e import system
from tests.services.embedded import wait_for
from tests.services.fixtures import free_port

pytestmark = pytest.mark.whole

TOKEN = "t0ken-of-the-platform"


def post(port: int, body: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/readings", json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return dict(json.loads(answer.read()))


def test_up_takes_json_and_files_and_keeps_them_over_kill_9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSTREAM_INGEST_TOKEN_platform", TOKEN)
    port, drop, data = free_port(), tmp_path / "drop", tmp_path / "data"
    last = int(time.time()) // 3600 * 3600
    label = times.civil(last).strftime("%Y-%m-%d %H:%M")

    def hour(source: str, value: str) -> dict[str, Any]:
        end = times.civil(last).isoformat()
        return {"v": 1, "source": source, "period": "hour", "end": end, "values": {"SO2": value}}

    with system.up(data, "--ingest-http", f"127.0.0.1:{port}", "--ingest-folder", str(drop)) as running:
        assert post(port, [hour("Dongsi", "1.5"), hour("Mars", "1")])["accepted"] == 1
        head = "station,hour_end,so2_ug_m3,no2_ug_m3,co_ug_m3,o3_ug_m3,pm10_ug_m3,pm25_ug_m3\n"
        (drop / "hours.csv").write_text(f"{head}Gucheng,{label},2.5,,,,,\n")
        wait_for(lambda: (drop / "done" / "hours.csv").exists(), 30)
        running.kill("gateway")
        assert post(port, hour("Guanyuan", "3.5"))["accepted"] == 1

        def stored() -> set[str]:
            lines = [f"{series} {fields}" for series, fields in system.verdicts(data).items()]
            values = {"Dongsi": "value=1.5,", "Gucheng": "value=2.5,", "Guanyuan": "value=3.5,"}
            return {name for name, value in values.items() if any(name in line and value in line for line in lines)}

        wait_for(lambda: len(stored()) == 3, 60)
    records = list(journal.read(data / "journal"))
    evidence = [json.loads(r.value) for r in records if r.topic == topics.PACKETS]
    assert [v for e in evidence for v in e["verdict"]].count("ok") == 3
    assert [json.loads(r.value)["reason"][:8] for r in records if r.topic == topics.DEAD] == ["unlisted"]
    # one writer, so that numbers have no holes
    assert {e["writer"] for e in evidence} == {"gw"}
    assert sorted(n for e in evidence for n in range(e["first"], e["first"] + len(e["raw"]))) == [0, 1, 2, 3]
    assert TOKEN not in "".join(path.read_text() for path in (data / "logs").iterdir())


def test_a_way_in_without_a_token_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = system.run("up", "--data", tmp_path / "data", "--ingest-http", "127.0.0.1:8123", code=2)
    assert done.stderr.startswith("envstream: --ingest-http: nobody has a token") and done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ingest-folder", "/proc/nope"), "--ingest-folder /proc/nope: "),
        (("--ingest-http", "8123"), "--ingest-http 8123: write it as HOST:PORT"),
        (("--ingest-http", "127.0.0.1:99999"), "--ingest-http 127.0.0.1:99999: write it as HOST:PORT"),
        (("--ingest-http", "127.0.0.1:²"), "--ingest-http 127.0.0.1:²: write it as HOST:PORT"),
        (("--ingest-http", "192.0.2.1:8123"), "--ingest-http 192.0.2.1:8123: "),  # nobody has an address of TEST-NET
        (("--metrics", "192.0.2.1:8124"), "--metrics 192.0.2.1:8124: "),
        (("--metrics", "a..b:8124"), "--metrics a..b:8124: "),
        (("--metrics", "127.0.0.1:0"), "--metrics 127.0.0.1:0: write it as HOST:PORT"),
        (("--metrics", "127.0.0.1:8125", "--ingest-http", "127.0.0.1:8125"), "--ingest-http 127.0.0.1:8125: port 8125"),
    ],
)
def test_ways_that_cannot_be_opened_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("ENVSTREAM_INGEST_TOKEN_platform", TOKEN)
    done = system.run("up", "--data", tmp_path / "data", *words, code=2)
    assert done.stderr.startswith(f"envstream: {said}") and done.stderr.count("\n") == 1
    assert done.stdout == "" and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no way in: give --http HOST:PORT, --topic or --folder DIR"),
        (("--http", "8123"), "--http 8123: write it as HOST:PORT"),
        (("--http", "127.0.0.1:8123"), "--http: nobody has a token"),
        (("--folder", "/proc/nope"), "--folder /proc/nope: "),
        (("--topic", "--cert", "a.pem"), "--cert and --key belong together, and to --http"),
        (("--topic", "--district", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_errors_of_the_command_are_one_line(words: tuple[str, ...], said: str) -> None:
    done = system.run("ingest", *words, code=2)
    assert said in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""

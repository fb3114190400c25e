"""``envstream action`` as a person types it, and every example of its document."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from envstream import main
from schemas import times, topics
from schemas.action_files import read_file
from schemas.actions import KINDS, check
from schemas.alerts import ALERT_ACTIONS
from schemas.registry import load
from streams import journal
from streams.clock import LIVE, WriterClock
from tests.services.fixtures import free_port
from tests.streams.served import Served, found, serve

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "docs" / "actions.md").read_text(encoding="utf-8")
DISTRICT = load(ROOT / "districts" / "example")
NOW_MS = times.parse_stamp("20260701080000") * 1000
WHO = ("--by", "张三", "--why", "总站通报")


def run(*words: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["action", *map(str, words)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def with_gateway(folder: Path, use: Callable[[Callable[..., Awaitable[Result]]], Awaitable[None]]) -> list[Any]:
    """``use(say)``, where ``say(*words)`` runs the command against a gateway; what it left in ``actions``."""

    async def serving(served: Served) -> None:
        async def say(*words: str | Path, code: int = 0) -> Result:
            return await asyncio.to_thread(run, *words, "--control", f"127.0.0.1:{served.control_port}", code=code)

        await use(say)

    clock = WriterClock(LIVE, wall_ms=lambda: NOW_MS, since_boot_ms=lambda: 0)
    return found(serve(folder / "journal", DISTRICT, serving, clock=clock), topics.ACTIONS)


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", MANUAL, re.DOTALL)


def test_every_example_of_the_document_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"audited.csv": examples("csv")[0], "orders.toml": examples("toml")[0]}
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    (commands,) = examples("sh")

    async def use(say: Callable[..., Awaitable[Result]]) -> None:
        for command in commands.splitlines():
            program, group, *words = shlex.split(command)
            assert (program, group) == ("envstream", "action")
            if words[0] != "list":
                said = await say(*words)
                assert re.match(r"[0-9a-f]{16}  \S+ \S+ 2026-", said.output), said.output
        await say("file", "orders.toml")

    actions = with_gateway(tmp_path, use)
    rows = re.findall(r"^\| `([a-z-]+)` \| ", MANUAL, re.MULTILINE)
    decisions = [kind for kind in KINDS if kind not in ALERT_ACTIONS]  # those on alerts have a section of their own
    assert rows == ["what", *decisions] and {action["what"] for action in actions} == set(decisions)
    assert all(f"`{kind}`" in MANUAL for kind in ALERT_ACTIONS)
    for name in files:
        assert all(check(placed.action, DISTRICT) == [] for placed in read_file(Path(name)))
    lines = run("list", "--data", tmp_path).output.splitlines()
    assert len(lines) == len(actions)
    assert lines[0].startswith("2026-07-01 08:00:00  张三  沙尘日 dust-day example 2026-03-12  [失效 no longer holds]")
    told = json.loads(run("list", "--data", tmp_path, "--what", "dust-day", "--json").output)
    assert [one["holds"] for one in told] == [False, True, False, True, False]
    assert "air-luhua" in run("list", "--data", tmp_path, "--subject", "air-luhua").output


def test_what_is_said_is_what_is_written(tmp_path: Path) -> None:
    async def use(say: Callable[..., Awaitable[Result]]) -> None:
        said = await say("correct", "air-luhua", "2026-03-12T23:00", "2026-03-12T24:00", "PM2.5=23.0", "CO=valid", *WHO)
        assert said.output.endswith("  correction air-luhua 2026-03-12 23:00 … 2026-03-13 00:00: in the log\n")
        said = await say("correct", "air-luhua", "2026-03-12T23:00", "2026-03-12T24:00", *WHO, "--withdraw")
        assert said.output.endswith(": withdrawn\n")

    one, two = with_gateway(tmp_path, use)
    end = times.parse_stamp("20260313000000")
    assert {key: one[key] for key in ("what", "group", "subject", "begin", "end", "by", "why", "data", "received")} == {
        "what": "correction", "group": "example-air", "subject": "air-luhua", "begin": end - 3600, "end": end,
        "by": "张三", "why": "总站通报", "data": {"PM2.5": "23.0", "CO": "valid"}, "received": NOW_MS,
    }  # fmt: skip
    assert two["withdrawn"] and two["data"] == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dust-day", "exampel", "2026-03-12"), "subject 'exampel' is no area of this registry: did you mean example?"),
        (("dust-day", "example", "2026-08-12"), "has not begun: it is 2026-07-01 08:00:00 in this log"),
        (("dust-day", "example", "2026-03-12", "2026-03-11"), "the end must be later than the begin"),
        (("plan-exception", "example", "2026-03-12", "--not-monitored", "SO2"), "clean is missing"),
        (("correct", "air-luhua", "2026-03-12T09:00", "2026-03-12T10:00"), "name at least one factor"),
        (("publish", "example", "2026-03-12", "primary=CO"), "aqi is missing"),
        (("mark", "lanfeng-sinter-head", "2026-03-12", "2026-03-12", "停"), "mark = 停"),
    ],
)
def test_what_the_gateway_refuses_is_one_line_and_leaves_nothing(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    async def use(say: Callable[..., Awaitable[Result]]) -> None:
        done = await say(*words, *WHO, code=2)
        assert done.stderr.startswith("envstream: ") and done.stderr.count("\n") == 1 and done.stdout == ""
        assert said in done.stderr

    assert with_gateway(tmp_path, use) == []


def test_a_file_with_an_error_is_refused_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text("what,subject,from,by,why\ndust-day,example,2026-03-12,a,b\ndust-day,x,2026-03-13,a,\n")

    async def use(say: Callable[..., Awaitable[Result]]) -> None:
        done = await say("file", file, code=2)
        assert done.stderr.splitlines() == [
            f"envstream: {file}:3: dust-day: why is missing: write why, or the document",
            f"{file}:3: dust-day: subject 'x' is no area of this registry: look into the registry",
        ]

    assert with_gateway(tmp_path, use) == []


def test_a_file_is_withdrawn_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text("what,subject,from,by,why\ndust-day,example,2026-03-12,a,b\ndust-day,example,2026-03-13,a,b\n")

    async def use(say: Callable[..., Awaitable[Result]]) -> None:
        await say("file", file)
        await say("file", file, "--withdraw")

    assert [action["withdrawn"] for action in with_gateway(tmp_path, use)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dust-day", "example", "12.3.2026", *WHO), "dust-day: from = '12.3.2026': write it as 2026-03-12"),
        (("correct", "a", "2026-03-12T09:00", "2026-03-12T10:00", "SO2", *WHO), "SO2: write it as KEY=VALUE"),
        (("publish", "a", "2026-03-12", "aqi=1", "aqi=2", *WHO), "aqi=2: aqi stands twice"),
        (("file", "nothing.csv"), "nothing.csv: No such file"),
        (("dust-day", "a", "2026-03-12", *WHO, "--control", "x"), "--control x: write it as HOST:PORT"),
        (("dust-day", "a", "2026-03-12", *WHO, "--control", "h:1", "--bootstrap", "h:2"), "give one of them"),
        (("list", "--data", "nowhere"), "no journal of envstream up"),
        (("list", "--data", "a", "--bootstrap", "b"), "give one of them"),
    ],
)
def test_errors_of_the_command_are_one_line(words: tuple[str, ...], said: str) -> None:
    done = run(*words, code=2)
    assert done.stderr.startswith("envstream: ") and said in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_nobody_there_is_said_with_the_cure() -> None:
    done = run("dust-day", "example", "2026-03-12", *WHO, "--control", f"127.0.0.1:{free_port()}", code=2)
    assert "nobody listens there: start the gateway" in done.stderr and done.stderr.count("\n") == 1


def test_an_empty_journal_lists_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    assert run("list", "--data", tmp_path).output == ""
    assert list(journal.read(tmp_path / "journal")) == []

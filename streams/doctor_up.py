"""The embedded default, as ``envstream doctor --control`` looks at it: its gateway and its processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil

from schemas import times
from streams.ask import AskError, ask
from streams.doctor import FAIL, OK, WARN, Check, Finding

_ANSWER_S = 5.0


def checks(control: tuple[str, int], data: Path | None) -> Iterator[tuple[str, str, Check]]:
    """Those of a running ``envstream up``, or of any gateway on this machine."""
    place = f"{control[0]}:{control[1]}"
    yield "gateway", place, lambda: gateway(control)
    if data is not None:
        yield "up", str(data), lambda: parts(data)


def gateway(control: tuple[str, int]) -> Iterator[Finding]:
    """Whether it answers, its clock, and how many loggers are connected."""
    place = f"{control[0]}:{control[1]}"
    try:
        reply = ask(*control, {"op": "confirm"}, patience_s=_ANSWER_S)
        loggers = ask(*control, {"op": "loggers"}, patience_s=_ANSWER_S)["loggers"]
    except AskError as error:
        yield Finding("gateway", FAIL, place, "无应答", str(error), "启动 envstream up start envstream up")
        return
    now, kind = times.text(reply["now"] // 1000), reply["log"] or "empty"
    yield Finding("gateway", OK, place, f"应答，日志 {kind}，时刻 {now}", f"answers, {kind} log at {now}")
    if reply["held"]:
        cure = "核对时钟后 envstream clock --confirm check the clock, then confirm"
        minutes = f"{reply['jump_ms'] / 60_000:.0f}"
        yield Finding(
            "clock", FAIL, place, f"系统时钟跳快 {minutes} 分钟，停止写入", f"leapt {minutes} min: held", cure
        )
    online = sum(one["peer"] is not None for one in loggers)
    state, cure = (OK, "") if online or not loggers else (WARN, "看通信 envstream loggers list")
    yield Finding(
        "loggers", state, place, f"数采仪在线 {online}/{len(loggers)}", f"{online} of {len(loggers)} online", cure
    )


def parts(data: Path) -> Iterator[Finding]:
    """Whether every process that ``envstream up`` started lives."""
    path = data / "up.json"
    try:
        pids: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))["pids"]
    except (OSError, ValueError, KeyError, TypeError):
        yield Finding(
            "up", FAIL, str(path), "读不到", "cannot be read", "改正 --data，或启动 envstream up correct --data"
        )
        return
    gone = sorted(name for name, pid in pids.items() if not psutil.pid_exists(pid))
    if gone:
        names = ", ".join(gone)
        yield Finding("up", FAIL, names, "进程不在", "not running", f"看 {data / 'logs'} see the logs")
    else:
        yield Finding("up", OK, str(data), f"{len(pids)} 个进程都在", f"all {len(pids)} processes run")

"""What a run says at its end: to a person, and as JSON."""

from __future__ import annotations

from typing import Any


def years_table(years: dict[str, dict[str, Any]]) -> str:
    """The years of a report as a small table, Chinese first."""
    lines = ["年份 year   优良 good   污染 polluted   无效 invalid   优良天数比例 good-air ratio"]
    for year, said in years.items():
        ratio = "NA" if said["ratio"] is None else f"{said['ratio']:.1f} %"
        lines.append(f"{year:>9}   {said['good']:>9}   {said['polluted']:>13}   {said['invalid']:>12}   {ratio:>27}")
    for year, said in years.items():
        named = "、".join(f"{name} {days}" for name, days in said["by_category"].items() if days)
        first = "、".join(f"{name} {days}" for name, days in said["primary"].items() if days)
        lines.append(f"{year}: {named}" + (f"; 首要污染物 primary pollutant: {first}" if first else ""))
    return "\n".join(lines)


_KINDS = {"air": "空气 air stations", "water": "水 water sections", "emission": "企业 outlets and meters"}


def taken_in_lines(kinds: dict[str, dict[str, int]]) -> list[str]:
    """What came from whom; for a single kind of hours alone there is nothing to tell."""
    if set(kinds) <= {"air"} and set(kinds.get("air", {})) <= {"sources", "readings", "hours"}:
        return []
    lines = []
    for kind, name in _KINDS.items():
        if kind in kinds:
            said = dict(kinds[kind])
            sources, readings = said.pop("sources"), said.pop("readings")
            packets = ", ".join(f"{count} {period}" for period, count in said.items())
            lines.append(f"{name:24} {sources:>5}   {packets}; {readings} readings")
    return [*lines, ""]


def summary_text(summary: dict[str, Any]) -> str:
    """The summary of ``up --once`` for a newcomer."""
    replay, account = summary["replay"], summary["accounting"]
    sign = "=" if account["balanced"] else "≠"
    total = account["stored"] + account["duplicates"] + account["dead"] + account["unjudged"]
    several = len(summary["districts"]) > 1
    tables = [(f"{area}\n" if several else "") + years_table(summary["areas"][area]) for area in summary["districts"]]
    rows = [f"行 rows read                 {replay['rows'] + replay['rejected']:>9}"] if "by_cn" not in replay else []
    lines = [
        "",
        "\n\n".join(tables),
        "",
        *taken_in_lines(summary["taken_in"]),
        *([f"情景 scenarios: {', '.join(replay['scenarios'])}"] if replay.get("scenarios") else []),
        *rows,
        f"报文 packets sent            {replay['packets']:>9}   "
        f"answered 9014: {replay['answered']}, sent again: {replay['resent']}",
        f"入库 stored                  {account['stored']:>9}   of these flagged, not judged: {account['flagged']}",
        *([f"补传 backfilled (RF=1)       {summary['backfilled']:>9}"] if summary["backfilled"] else []),
        f"重复 duplicates              {account['duplicates']:>9}",
        f"拒收 rejected (topic dead)   {account['dead']:>9}"
        + "".join(f"   {reason}: {count}" for reason, count in summary["dead_reasons"].items()),
        *([f"未评价 kept, not judged      {account['unjudged']:>9}"] if account["unjudged"] else []),
        f"合计 sum of these            {total:>9}   {sign} in {account['in']}",
        f"写出 lines for InfluxDB       {summary['lines_written']:>8}   in {summary['spool']}",
    ]
    for death in summary["restarts"]:
        lines.append(f"重启 restarted: {death}")
    lines.append(
        f"用时 {summary['seconds']} s: {replay['packets']} packets over TCP, each answered when the log had it"
    )
    return "\n".join(lines)

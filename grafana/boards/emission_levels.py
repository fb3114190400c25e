"""Names of what outlets emit, and the shares and levels their limits give, from the tables of the standards."""

from __future__ import annotations

from grafana.boards.levels import air_levels, alert_colours, table
from grafana.boards.queries import Json
from schemas import hj212_codes
from schemas.names import name_zh

GAS = ("PM", "SO2", "NOx", "CO", "NH3", "HCl", "HF", "NMHC", "Hg")
WASTE_WATER = ("COD", "NH3N", "TN", "TP", "pH", "SS", "oil")
"""The factors most outlets have; another one is shown by its own name."""


def named_factor(factor: str, name: str) -> str:
    """A symbol that people know, beside its name: NOx 氮氧化物; of a code that is a word (oil, flow) the name alone."""
    return name if name == factor or factor.islower() or factor == "-" else f"{factor} {name}"


def factor_mappings() -> list[Json]:
    """Chinese names of the factors of gas and waste water."""
    names = {
        **{factor: name_zh(factor, (hj212_codes.GAS,)) for factor in GAS},
        **{factor: name_zh(factor, (hj212_codes.WATER,)) for factor in WASTE_WATER},
        "O2": name_zh("O2", (hj212_codes.GAS,)),
        "flow": "流量",
        "-": "全部",
    }
    return [{"type": "value", "options": {
        factor: {"index": i, "text": named_factor(factor, name)}
        for i, (factor, name) in enumerate(names.items())
    }}]  # fmt: skip


def rule_mappings() -> list[Json]:
    """Chinese names of the rules of conditions."""
    return [{"type": "value", "options": {
        row["rule"]: {"index": i, "text": row["zh"]} for i, row in enumerate(table("alerts_rules"))
    }}]  # fmt: skip


def ratio_thresholds() -> Json:
    """What a value says beside its strictest binding limit: near it, above it, by how much (emission.md §6)."""
    return _steps(_good(), {row["level"]: row["from"] / 100 for row in table("emission_alerts")})


def permit_thresholds() -> Json:
    """Shares of a permit that are told."""
    prefix = "used_"
    used = {
        r["name"].removeprefix(prefix): r["value"] for r in table("emission_totals") if r["name"].startswith(prefix)
    }
    return _steps(_good(), used)


def transmission_thresholds() -> Json:
    """Transmission-effective rate: what is owed, and what is aimed at."""
    owed, goal = _share("transmission_effective"), _share("transmission_effective_goal")
    return {"mode": "absolute", "steps": [
        {"color": alert_colours()["red"], "value": None}, {"color": alert_colours()["yellow"], "value": owed},
        {"color": _good(), "value": goal},
    ]}  # fmt: skip


def ultra_low_thresholds() -> Json:
    """Share of the hours that have to keep the ultra-low limit."""
    steps = [{"color": alert_colours()["red"], "value": None}, {"color": _good(), "value": _share("ultra_low")}]
    return {"mode": "absolute", "steps": steps}


def some_thresholds(level: str) -> Json:
    """Good while there is none."""
    return _steps(_good(), {level: 1})


def _good() -> str:
    colour: str = air_levels()[0]["hex"]
    return colour


def _share(name: str) -> int:
    (percent,) = [row["percent"] for row in table("emission_shares") if row["share"] == name]
    return int(percent)


def _steps(first: str, levels: dict[str, float]) -> Json:
    colours = alert_colours()
    steps = [{"color": first, "value": None}, *({"color": colours[level], "value": at} for level, at in levels.items())]
    return {"mode": "absolute", "steps": steps}

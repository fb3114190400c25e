"""The words of the pages: Chinese first, English by a switch."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas import alerts
from schemas.action_kinds import KINDS
from schemas.names import name_zh

LANGUAGES: Final = ("zh", "en")
Say = Callable[[str, str], str]
"""Chooses between Chinese and English."""

Words = dict[str, tuple[str, str]]

LEVELS: Final[Words] = {level: (alerts.LEVEL_ZH[level], level) for level in reversed(alerts.LEVELS)}
STATES: Final[Words] = {state: (zh, state.replace("-", " ")) for state, zh in alerts.STATE_ZH.items()}
CAUSES: Final[Words] = {cause: (zh, cause) for cause, zh in alerts.CAUSE_ZH.items()}
DELIVERED: Final[Words] = {
    state: (zh.partition("（")[0], state.replace("-", " ")) for state, zh in alerts.DELIVERY_ZH.items()
}
HAPPENED: Final[Words] = {
    "opened": ("发现", "opened"), "joined": ("并入", "joined"), "muted": ("静默", "muted"),
    "unmuted": ("解除静默", "unmuted"),
    "withdrawn": ("撤销", "withdrawn"), "adopted": ("并入上级告警", "adopted"), "waiting": ("暂未通知", "not told yet"),
    **STATES,
    **{reason: (zh, reason.replace("-", " ")) for reason, zh in alerts.REASON_ZH.items()},
    **{kind.name: (kind.zh, kind.en) for kind in KINDS.values()},
}  # fmt: skip
"""What an entry of a history may say."""
KIND: Final[Words] = {
    "air": ("空气", "air"), "water": ("水", "water"), "emission": ("排放", "emission"),
    "pipeline": ("系统", "pipeline"),
}  # fmt: skip
ROLES: Final[Words] = {
    "officer": ("值班员", "duty officer"), "chief": ("科长", "section chief"), "director": ("分管领导", "director"),
    "enterprise": ("企业联系人", "enterprise contact"), "duty": ("值班员", "duty officer"),
    "holder": ("处置人", "holder"),
}  # fmt: skip
RIGHTS: Final[Words] = {
    "read": ("查看", "read"), "act": ("处置告警", "act on alerts"),
    "mark": ("录入标记、检修、临时限值", "enter marks"),
    "correct": ("数据更正", "correct data"),
}  # fmt: skip
CHANNELS: Final[Words] = {
    "dingtalk": ("钉钉", "DingTalk"), "wecom": ("企业微信", "WeCom"), "feishu": ("飞书", "Feishu"),
    "sms": ("短信", "SMS"),
    "mail": ("邮件", "mail"), "webhook": ("接口", "webhook"), "apprise": ("其他服务", "other service"),
}  # fmt: skip
BUDGET: Final[Words] = {
    "safe": ("已确保优良", "safe"), "open": ("可控", "open"), "uncertain": ("未定", "uncertain"),
    "lost_if_complete": ("数据齐全则失去", "lost if data are complete"), "lost": ("已失去", "lost"),
    "incomplete": ("数据不足", "incomplete"),
}  # fmt: skip
VERDICTS: Final[Words] = {
    "OK": ("达标", "within"), "EXCEED": ("超标", "over"), "EXEMPT": ("豁免", "exempt"),
    "INVALID": ("无效", "invalid"),
    "NOT_APPLICABLE": ("不适用", "not applicable"), "NO_LIMIT": ("无限值", "no limit"),
}  # fmt: skip
REASONS: Final[Words] = {
    "standstill": ("停运", "standstill"), "device_mark": ("设备标记", "device mark"),
    "flag": ("数据标识无效", "flag"),
    "minutes": ("分钟数不足", "too few minutes"), "no_value": ("无数据", "no value"),
    "negative": ("负值", "negative"),
    "no_oxygen": ("无氧含量", "no oxygen"), "oxygen_ceiling": ("氧含量过高", "oxygen too high"),
}  # fmt: skip
ABOUT: Final[Words] = {
    "silence": ("无数据", "silence"), "crowd": ("多起告警", "many alerts"),
    "silence-crowd": ("多处无数据", "many silent places"),
    "early": ("提示", "early word"), "quality": ("数据质量", "data quality"),
}  # fmt: skip
"""What an alert without a factor is about."""
SAYS_IT_ALL: Final = ("silence", "crowd", "silence-crowd")
"""The others are followed by the name of their rule."""
RULES: Final[Words] = {
    "over-limit": ("超标", "above the limit"), "near-limit": ("接近限值", "close to the limit"),
    "over-ultra-low": ("超过超低排放限值", "above the ultra-low limit"),
    "outside-range": ("超出参考限值", "above a limit that does not bind"),
    "unregistered-factor": ("未登记因子", "factor not in the registry"), "negative": ("数据为负", "negative values"),
    "unreadable": ("数据不可读", "unreadable values"), "unit": ("单位有误", "wrong unit"),
    "unit-1000": ("单位疑差一千倍", "unit off by a thousand"),
    "unit-3600": ("单位疑差三千六百倍", "unit off by 3600"),
    "oxygen-21": ("氧含量不低于空气", "oxygen as in air"), "future": ("时间在未来", "hours of the future"),
    "zs-differs": ("折算值不符", "converted value differs"),
    "minutes-differ": ("小时值与分钟不符", "hour differs from its minutes"),
    "over-range": ("超出量程", "above full scale"),
    "clock-off": ("时钟偏差", "clock is wrong"), "suspect": ("疑似异常", "suspicion"),
    "permit": ("许可排放量", "permitted amount"), "water-level": ("水质预警", "water quality warning"),
    "spring-guard": ("泉水保护", "guard of the spring"), "offline": ("离线", "off-line"),
    "hour-missing": ("小时数据缺失", "hours missing"),
    "air-day-incomplete": ("日报不完整", "daily report incomplete"),
    "dust-proposed": ("疑似沙尘日待确认", "a dust day to confirm"),
}  # fmt: skip
"""Rules of conditions, as ``standards/tables/alerts_rules.toml`` names them; a test holds the two equal."""
MUTED: Final[Words] = {"maintenance": ("检修期", "maintenance"), "late": ("迟到数据", "late")}
BODIES: Final[Words] = {"river": ("河流", "river"), "lake": ("湖库", "lake"), "spring": ("泉", "spring")}

FIELDS: Final[Words] = {
    "source": ("依据文件", "document"), "not_monitored": ("不监测的污染物", "not monitored"),
    "clean": ("三年内从未为首要污染物", "never primary in three years"), "aqi": ("AQI", "AQI"),
    "primary": ("首要污染物", "primary pollutants"), "level": ("级别", "level"), "category": ("类别", "category"),
    "dust": ("沙尘口径", "dust caliber"), "mark": ("标记", "mark"), "factor": ("因子", "factor"),
    "limit": ("限值", "limit"), "unit": ("单位", "unit"), "averaging": ("均值时段", "averaging"),
    "result": ("结果", "result"), "subject": ("对象", "subject"), "from": ("起", "from"), "to": ("止", "to"),
    "why": ("原因或文号", "reason or document"), "check": ("核查项目", "check"),
    "zero_drift": ("零点漂移 %", "zero drift %"),
    "span_drift": ("量程漂移 %", "span drift %"), "reference": ("参比值", "reference"), "found": ("测得", "found"),
    "before": ("此前", "before"), "span": ("量程", "span"), "standard": ("标准值", "standard"),
    "unspiked": ("加标前", "unspiked"), "added": ("加标量", "added"), "cause": ("原因类别", "cause"),
    "measure": ("措施", "measure"),
}  # fmt: skip
CHOICES: Final[Words] = {
    "yes": ("是", "yes"), "no": ("否", "no"), "keep": ("保留沙尘", "dust kept"),
    "deduct": ("扣除沙尘", "dust deducted"),
    "hour": ("小时", "hour"), "day": ("日", "day"), "instant": ("瞬时", "instant"),
    "passed": ("合格", "passed"), "failed": ("不合格", "failed"), "zero_drift": ("零点漂移", "zero drift"),
    "span_drift": ("量程漂移", "span drift"), "span": ("量程核查", "span"), "recovery": ("加标回收", "recovery"),
}  # fmt: skip

ROMAN: Final = {1: "Ⅰ", 2: "Ⅱ", 3: "Ⅲ", 4: "Ⅳ", 5: "Ⅴ", 6: "劣Ⅴ"}

_COLOURS = tomllib.loads((Path(__file__).parent / "water_colours.toml").read_text(encoding="utf-8"))["class"]
WATER_COLOURS: Final[dict[int, str]] = {int(water_class): str(colour) for water_class, colour in _COLOURS.items()}
_SUSPICION: Final = re.compile(r"R\d+", re.ASCII)
_HEX: Final = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)
GREY: Final = "#D5DAE0"
"""Of what is not known."""


def rule(name: str) -> tuple[str, str] | None:
    """What a rule of a condition is called; each rule of facility supervision (``R5``) suspects something."""
    return RULES.get("suspect" if _SUSPICION.fullmatch(name) else name)


def factor(name: str) -> tuple[str, str]:
    """What a factor or measure is called; what an alert is about where that is neither."""
    return ABOUT[name] if name in ABOUT else (name_zh(name), name)


def unit(name: str) -> str:
    """A unit as it is printed: mg/m³ of mg/m3, µg of ug."""
    return re.sub(r"(?<=[a-z])3\b", "³", name).replace("ug/", "µg/")


def say_of(lang: str) -> Say:
    """The chooser of a language."""
    return (lambda zh, en: en) if lang == "en" else (lambda zh, en: zh)


def colour(said: str | None) -> str:
    """A colour that may stand in a drawing; grey where there is none."""
    return said if said and _HEX.fullmatch(said) else GREY


def ink_on(background: str) -> str:
    """Black or white, whichever can be read on a colour (WCAG relative luminance)."""
    red, green, blue = (int(background[n : n + 2], 16) / 255 for n in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#1A2430" if luminance > 0.179 else "#FFFFFF"


def age(seconds: int, say: Say) -> str:
    """How long ago, in two units at most."""
    minutes = max(0, seconds) // 60
    if minutes < 60:
        return say(f"{minutes} 分钟", f"{minutes} min")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return say(f"{hours} 小时 {minutes} 分", f"{hours} h {minutes} min")
    return say(f"{hours // 24} 天 {hours % 24} 小时", f"{hours // 24} d {hours % 24} h")

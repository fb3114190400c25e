"""A small registry with every table, for tests to read and to break."""

from __future__ import annotations

import pytest

from schemas import registry

FULL = """\
format = 1
name = "县"
name_en = "County"

[receive]
port = 9212

[receive.tls]
port = 9443
cert = "server.pem"
key = "server.key"

[[group]]
id = "air"

[[group]]
id = "river"

[[group]]
id = "spring"

[[area]]
id = "county"
name = "县"
group = "air"

[[area]]
id = "east"
name = "东乡"
kind = "township"
within = "county"
lat = 36.3
lon = 113.2

[[station]]
id = "school"
name = "一中"
area = "county"
township = "east"
mn = "A1"
valid_from = 2020-01-01

[[station]]
id = "school"
name = "一中新址"
area = "county"
township = "east"
mn = "A2"
valid_from = 2026-03-01
units = { CO = "ug/m3" }

[[station]]
id = "village"
name = "东乡"
area = "county"
township = "east"
mn = "A3"
kind = "township"
valid_from = 2020-01-01

[[section]]
id = "up"
name = "上桥"
mn = "W1"
group = "river"
river = "河"
border = "in"
valid_from = 2020-01-01

[[section]]
id = "down"
name = "下桥"
mn = "W2"
group = "river"
river = "河"
border = "out"
control = "national"
valid_from = 2020-01-01

[[section]]
id = "well"
name = "泉"
mn = "W3"
group = "spring"
body = "spring"
drinking_source = true
valid_from = 2020-01-01

[[target]]
section = ["up", "down"]
class = 4
valid_from = 2020-01-01

[[target]]
section = "down"
class = 3
limits = { TP = 0.25, NH3N = "1.2" }
excluded = ["TN"]
valid_from = 2026-01-01

[[reach]]
from = "up"
to = "down"
length_km = 8.4
v_low = 0.15
v_mid = 0.35
v_high = 0.80

[[enterprise]]
id = "works"
name = "钢厂"
industry = "steel"
contact = "han"
township = "east"

[[permit]]
enterprise = "works"
year = [2025, 2026]
tonnes = { SO2 = 120, COD = "4.60" }

[[outlet]]
id = "stack"
enterprise = "works"
name = "机头"
process = "sinter_head"
mn = "E1"
factors = ["PM", "SO2", "NOx", "O2", "flow"]
ref_o2_pct = 16
normal_flow = 88.0
duct_area_m2 = 12.57
ranges = { SO2 = 200 }
detection = { SO2 = 0.5 }
valid_from = 2020-01-01

[[outlet]]
id = "drain"
enterprise = "works"
name = "废水"
process = "wastewater"
medium = "water"
mn = "E2"
factors = ["flow", "pH", "COD", "NH3N", "T"]
main = false
valid_from = 2020-01-01

[[limit]]
outlet = "stack"
kind = "legal"
basis = "GB 28662-2012"
unit = "mg/m3"
most = { PM = 40, SO2 = 180, NOx = 300 }
valid_from = 2012-10-01

[[limit]]
outlet = "stack"
kind = "permit"
basis = "许可证"
unit = "mg/m3"
most = { NOx = 150 }
valid_from = 2020-01-01

[[limit]]
outlet = "stack"
kind = "permit"
basis = "许可证变更"
unit = "mg/m3"
most = { NOx = 50 }
valid_from = 2026-01-01

[[limit]]
outlet = "stack"
kind = "temporary"
basis = "管控令"
unit = "mg/m3"
most = { NOx = 35 }
valid_from = 2026-06-10
valid_to = 2026-06-30

[[limit]]
outlet = "drain"
kind = "legal"
basis = "GB 18918-2002"
averaging = "day"
unit = "mg/L"
most = { COD = 50, NH3N = 5 }
cold = { NH3N = 8 }
valid_from = 2003-07-01

[[limit]]
outlet = "drain"
kind = "legal"
basis = "GB 18918-2002"
averaging = "day"
unit = "pH"
most = { pH = 9 }
least = { pH = 6 }
valid_from = 2003-07-01

[[meter]]
outlet = "stack"
factor = "production_power_01"
measures = "production"
rated = 5200
mn = "D1"

[[meter]]
id = "pump"
name = "循环泵"
outlet = "stack"
factor = "circulation_pump_current_01"
measures = "treatment"
rated = 58
unit = "A"
on_share = 0.1

[[logger]]
mn = "A1"
commands = [1012, 3011]

[[logger]]
mn = "E1"
crc_mode = "modbus"
edition = 2005
units = { flow = "m3/h" }
scale = { SO2 = 0.1, NOx = "10" }

[[logger]]
mn = "E1"
edition = 2025
sm4 = true
password = true
realtime_s = 30
valid_from = 2026-06-01

[[logger]]
mn = "W2"
over_time_s = 20
re_count = 5

[[person]]
id = "guo"
name = "郭"
role = "officer"
channels = [{ kind = "dingtalk", secret = "DUTY_ROBOT" }, { kind = "sms", secret = "SMS_GUO" }]

[[person]]
id = "shen"
name = "申"
role = "officer"
channels = [{ kind = "sms", secret = "SMS_SHEN" }]

[[person]]
id = "wang"
name = "王"
role = "chief"
channels = [{ kind = "wecom", secret = "CHIEF" }]
quiet = [{ from = "22:00", to = "07:00", up_to = "yellow" }]

[[person]]
id = "han"
name = "韩"
role = "enterprise"
enterprise = "works"
channels = [{ kind = "wecom", secret = "WORKS" }]

[[shift]]
id = "day"
name = "白班"
days = "workdays"
from = "08:30"
to = "17:30"
persons = ["guo", "shen"]
valid_from = 2026-01-01

[[shift]]
id = "rest"
name = "休息日白班"
days = "restdays"
from = "08:30"
to = "17:30"
persons = ["shen"]
valid_from = 2026-01-01

[[shift]]
id = "night"
name = "夜班"
from = "17:30"
to = "08:30"
persons = ["shen", "guo"]
valid_from = 2026-01-01

[[shift]]
id = "chief"
name = "带班"
role = "chief"
from = "08:30"
to = "08:30"
persons = ["wang"]
rotate = "week"
valid_from = 2026-01-01

[[holiday]]
name = "元旦"
date = 2026-01-01
until = 2026-01-03

[[holiday]]
name = "元旦调休"
date = 2026-01-04
work = true

[[swap]]
shift = "day"
date = 2026-01-05
until = 2026-01-09
person = "guo"
substitute = "wang"

[[task]]
year = 2026
kind = "good_days"
subject = "county"
value = 292

[[task]]
year = 2026
kind = "section_share"
subject = "river"
class = 3
value = 83.3

[[task]]
year = 2026
kind = "tonnes"
subject = "all"
factor = "SO2"
value = 1980
"""


def full() -> registry.Registry:
    """The registry of ``FULL``."""
    return registry.parse(FULL, "x.toml")


def changed(old: str, new: str, text: str = FULL) -> str:
    """``FULL`` with one place changed."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)


def errors_of(text: str) -> list[str]:
    """Every error of a text; it must have some."""
    with pytest.raises(registry.RegistryError) as caught:
        registry.parse(text, "x.toml")
    return str(caught.value).splitlines()


def errors_if_any(text: str) -> list[str]:
    """Every error of a text."""
    try:
        registry.parse(text, "x.toml")
    except registry.RegistryError as error:
        return str(error).split("\n")
    return []


def line_of(text: str, needle: str, nth: int = 1) -> int:
    """The line number of the ``nth`` line that has the needle."""
    return [n for n, line in enumerate(text.split("\n"), 1) if needle in line][nth - 1]

"""A made-up county for the benchmarks of alerts: enterprises with many outlets, each with a contact and a robot."""

from __future__ import annotations

from typing import Final

FACTORS: Final = (("a21026", "SO2", 35), ("a21002", "NOx", 50), ("a34013", "PM", 10))
"""Code, name and limit in mg/m3 of what an outlet of the county says."""
REF_O2: Final = 16

PEOPLE: Final = """
[[person]]
id = "guo"
name = "郭启明"
role = "officer"
channels = [{ kind = "dingtalk", secret = "DUTY" }, { kind = "sms", secret = "SMS_GUO" }]
[[person]]
id = "wang"
name = "王海生"
role = "chief"
channels = [{ kind = "wecom", secret = "CHIEF" }, { kind = "sms", secret = "SMS_WANG" }]
[[person]]
id = "zhao"
name = "赵立新"
role = "director"
channels = [{ kind = "feishu", secret = "BOSS" }]
"""


def outlet_of(enterprise: int, number: int) -> str:
    """Id of an outlet."""
    return f"k{enterprise}-{number}"


def name_of(enterprise: int, number: int) -> str:
    """Its name, which no other contains."""
    return f"{enterprise:03d}厂{number:03d}号排口"


def mn_of(enterprise: int, number: int) -> str:
    """MN of its logger."""
    return f"KREIS{enterprise:09d}{number:010d}"


def robot_of(enterprise: int) -> str:
    """Name of the secret of its contact's robot; in a drill the robot's token, too."""
    return f"ROBOT_{enterprise}"


def enterprises(count: int, outlets: int) -> str:
    """Rows of the registry: so many enterprises, each a group with so many outlets, and the people of the county."""
    parts = [PEOPLE]
    for e in range(count):
        parts.append(
            f'[[group]]\nid = "k{e}"\nname = "{e:03d}厂"\n'
            f'[[enterprise]]\nid = "k{e}"\nname = "{e:03d}厂"\nindustry = "steel"\ngroup = "k{e}"\ncontact = "han{e}"\n'
            f'[[person]]\nid = "han{e}"\nname = "韩{e:03d}"\nrole = "enterprise"\nenterprise = "k{e}"\n'
            f'channels = [{{ kind = "dingtalk", secret = "{robot_of(e)}" }}]\n'
        )
        most = ", ".join(f"{name} = {limit}" for _, name, limit in FACTORS)
        for n in range(outlets):
            parts.append(
                f'[[outlet]]\nid = "{outlet_of(e, n)}"\nenterprise = "k{e}"\nname = "{name_of(e, n)}"\n'
                f'mn = "{mn_of(e, n)}"\nmedium = "gas"\nprocess = "sinter_head"\n'
                f'factors = ["SO2", "NOx", "PM", "O2"]\nref_o2_pct = {REF_O2}\nvalid_from = 2020-01-01\n'
                f'[[limit]]\noutlet = "{outlet_of(e, n)}"\nkind = "permit"\nbasis = "许可证"\nunit = "mg/m3"\n'
                f"most = {{ {most} }}\nvalid_from = 2020-01-01\n"
            )
    return "".join(parts)


HEAD: Final = 'format = 1\nname = "县"\nname_en = "County"\n'
"""The beginning of a registry that has nothing but enterprises."""

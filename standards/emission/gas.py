"""Flue gas: units, states, oxygen, flow and mass (HJ 212-2017 Annex D; emission.md §3, F1–F9, F15).

Single numbers are Fractions in and out; what an agent asks of blocks (``converted``, ``mean``, ``mass_ug``) works on
arrays. Pressures are Pa, temperatures °C, moisture a fraction: packets carry kPa (gauge) and %.
"""

from __future__ import annotations

import datetime
from fractions import Fraction

import numpy as np

from standards.emission.exact import Bools, Exact, aligned, known, pack, product, total, where, whole_ug
from standards.emission.rules import constant_of
from standards.fixed import Ints

SECONDS_OF_HOUR = 3600


def from_ppm(ppm: Fraction, gas: str) -> Fraction:
    """F1: a volume share as mg/m³ of the standard state.

    Raises:
        LookupError: only SO2, NO and NO2 have a molar mass in the tables.
    """
    return ppm * constant_of(f"molar_mass_{gas}") / constant_of("molar_volume")


def nox_from_mass(no: Fraction, no2: Fraction) -> Fraction:
    """F2: NOx as NO2, mg/m³, of NO and NO2 in mg/m³."""
    return no * constant_of("molar_mass_NO2") / constant_of("molar_mass_NO") + no2


def nox_from_ppm(no: Fraction, no2: Fraction) -> Fraction:
    """F2: NOx as NO2, mg/m³, of NO and NO2 in ppm."""
    return from_ppm(no + no2, "NO2")


def to_standard(actual: Fraction, celsius: Fraction, air_pa: Fraction, static_pa: Fraction) -> Fraction:
    """F3: a concentration of the flue's state in the standard state.

    Raises:
        ValueError: a pressure or a temperature that cannot be.
    """
    return actual / _volume_ratio(celsius, air_pa, static_pa)


def _volume_ratio(celsius: Fraction, air_pa: Fraction, static_pa: Fraction) -> Fraction:
    """Volume in the standard state of one m³ of flue gas."""
    kelvin, pressure = constant_of("standard_temperature"), air_pa + static_pa
    if celsius <= -kelvin or pressure <= 0:
        raise ValueError(f"{float(celsius)} °C and {float(pressure)} Pa are no state of a gas: check the units")
    return kelvin / (kelvin + celsius) * pressure / constant_of("standard_pressure")


def to_dry(wet: Fraction, moisture: Fraction) -> Fraction:
    """F4: a concentration of wet gas in dry gas; not for an analyser that already measures dry.

    Raises:
        ValueError: moisture outside 0 … 1 (a fraction; packets carry %).
    """
    if not 0 <= moisture < 1:
        raise ValueError(f"moisture {float(moisture)}: must be a fraction from 0 to below 1; packets carry %")
    return wet / (1 - moisture)


def velocity(factor: Fraction, measured: Fraction) -> Fraction:
    """F6: the mean velocity of the duct in m/s, from that of the probe."""
    return factor * measured


def actual_flow(duct_m2: Fraction, velocity_m_s: Fraction) -> Fraction:
    """F7: m³/h in the flue's state."""
    return SECONDS_OF_HOUR * duct_m2 * velocity_m_s


def standard_flow(
    actual_m3_h: Fraction, celsius: Fraction, air_pa: Fraction, static_pa: Fraction, moisture: Fraction
) -> Fraction:
    """F8: m³/h of dry gas in the standard state; the packet's flow is the same in m³/s.

    Raises:
        ValueError: a pressure, a temperature or a moisture that cannot be.
    """
    return actual_m3_h * _volume_ratio(celsius, air_pa, static_pa) / to_dry(Fraction(1), moisture)


def mass_rate(measured_mg_m3: Fraction, flow_m3_h: Fraction) -> Fraction:
    """F9: kg/h, of the measured concentration: never of the converted one."""
    return measured_mg_m3 * flow_m3_h / 10**6


def converted(measured: Exact, oxygen: Exact, reference: Exact, date: datetime.date | None = None) -> Exact:
    """F5: concentrations converted to reference oxygen, ``C·(21−ref)/(21−O2)``, exact.

    Args:
        measured: dry, standard state.
        oxygen: % dry.
        reference: %; missing where there is none: then the measured value is the converted one.
        date: of the data.

    Returns:
        Exact; missing where O2 is missing or not below 21 %, never infinity.

    Raises:
        ValueError: a reference that is not in 0 … 21.
    """
    air = int(constant_of("air_oxygen", date))
    if reference.missing.all():
        return measured
    c, c_den, c_missing = known(measured)
    o2, o2_den, o2_missing = known(oxygen)
    ref, ref_den, no_reference = known(reference)
    above = product(ref_den, air) - ref
    if (np.asarray(ref < 0) | np.asarray(above <= 0)).any():
        raise ValueError(f"reference oxygen 基准含氧量: must be from 0 to below {air} %")
    below = product(o2_den, air) - o2
    impossible = o2_missing | np.asarray(below <= 0, dtype=np.bool_)
    den = product(c_den, ref_den, np.where(impossible, 1, below))
    found = pack(product(c, above, o2_den), den, c_missing | impossible)
    return where(no_reference, measured, found)


def mean(values: Exact, valid: Bools, at_least: int) -> Exact:
    """F15: arithmetic means over the last axis, of enough valid values.

    Args:
        values: (…, n): samples of a minute, minutes of an hour, hours of a day.
        valid: bool of the same shape.
        at_least: how many valid ones a mean needs (``rules.minimum``).

    Returns:
        Exact (…), missing where there are fewer.
    """
    used = valid & ~values.missing
    nums, common = aligned(pack(values.num, values.den, ~used))
    count = used.sum(axis=-1)
    few: Bools = np.asarray((count < at_least) | (count == 0), dtype=np.bool_)
    return pack(total(nums), product(np.where(few, 1, count), common), few)


def mass_ug(measured: Exact, flow_m3_s: Exact, seconds: int = SECONDS_OF_HOUR) -> Ints:
    """F9 for arrays: µg (10⁻⁹ kg) emitted in a period, of means of concentration (mg/m³) and flow (m³/s, dry).

    Rounded half to even to whole µg: a year of hours is then off by less than 5 mg, and sums are exact in int64.

    Returns:
        int64 of the broadcast shape; MISSING where one of the two is missing or negative, or the mass is absurd
        (``exact.whole_ug``): such an hour is a gap to be filled.
    """
    c, c_den, c_missing = known(measured)
    flow, flow_den, flow_missing = known(flow_m3_s)
    nothing = c_missing | flow_missing | np.asarray((c < 0) | (flow < 0), dtype=np.bool_)
    return whole_ug(pack(product(c, flow, seconds * 1000), product(c_den, flow_den), nothing))

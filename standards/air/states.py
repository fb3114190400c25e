"""States of a gas sample, volume shares, and the marks that come with values (domain/air.md §1.3, §6.2).

Exact: fractions in, fractions out. Nothing here is applied by the judging functions; they take values of the reference
state (gases) or of the actual one (particles), already screened by their marks.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from standards import dated
from standards.air.units import exact, published_unit

_GASES: Final = ("SO2", "NO2", "NO", "CO", "O3", "NOx")


def to_reference(value: Fraction, gas: str, kelvin: Fraction, hectopascal: Fraction) -> Fraction:
    """A gas concentration of the actual state in the reference state (298.15 K, 1013.25 hPa).

    ``c_ref = c · (T / 298.15) · (1013.25 / P)`` (§1.3).

    Args:
        value: concentration at ``kelvin`` and ``hectopascal``.
        gas: SO2, NO2, NO, CO, O3 or NOx.
        kelvin: temperature of the sample, above 0.
        hectopascal: its pressure, above 0.

    Raises:
        ValueError: not a gas (particles are reported in the actual state), or a state that cannot be.
    """
    if gas not in _GASES:
        raise ValueError(f"{gas} is not one of the gases {', '.join(_GASES)}; particles keep the actual state")
    if kelvin <= 0 or hectopascal <= 0:
        raise ValueError(f"{float(kelvin)} K and {float(hectopascal)} hPa are no state of a gas")
    temperature, pressure = _state("reference")
    return value * (kelvin / temperature) * (pressure / hectopascal)


def from_standard(value: Fraction, gas: str) -> Fraction:
    """A gas concentration of the standard state before 2018-09-01 (273.15 K) in the reference state: × 0.91615.

    Raises:
        ValueError: not a gas.
    """
    return to_reference(value, gas, *_state("standard"))


def from_volume_share(share: Fraction, gas: str) -> Fraction:
    """Ppb (CO: ppm) as µg/m³ (CO: mg/m³) of the reference state.

    Raises:
        ValueError: no factor is known: NOx is a mixture, and particles have no volume share.
    """
    for row in _states().where(quantity="volume_share", item=gas):
        return share * exact(row, "value", published_unit(gas))
    raise ValueError(f"{gas} has no conversion from a volume share")


def mark_of(mark: str, scheme: str = "platform") -> tuple[bool, str]:
    """Whether a value with this mark may be valid, and what the mark means.

    Args:
        mark: as it came; spaces around it are ignored, case matters. Empty is normal.
        scheme: ``platform``, ``hj212_2017`` or ``hjt212_2005``.

    Returns:
        valid and meaning; a mark the table does not know is invalid.

    Raises:
        LookupError: an unknown scheme.
    """
    marks = dated.load("air_marks")[0]
    if not any(True for _ in marks.where(scheme=scheme)):
        raise LookupError(f"air_marks has no scheme {scheme!r}")
    stripped = mark.strip()
    if not stripped:
        return True, "normal"
    for row in marks.where(scheme=scheme, mark=stripped):
        return row.flag("valid"), row.text("meaning")
    return False, f"unknown mark {stripped!r}"


def _states() -> dated.Edition:
    return dated.load("air_states")[0]


def _state(name: str) -> tuple[Fraction, Fraction]:
    """Temperature in K and pressure in hPa."""
    rows = (("temperature", "K"), ("pressure", "hPa"))
    kelvin, hectopascal = (exact(_states().row(quantity=what, item=name), "value", unit) for what, unit in rows)
    return kelvin, hectopascal

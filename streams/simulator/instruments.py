"""What instruments read and a logger makes of it: whole numbers, flags, means, conversions and amounts of a day.

Values are whole numbers from the moment they are read off an instrument. Means, conversion to reference oxygen and
amounts are integer arithmetic and round half to even once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas import hj212_codes, units
from schemas.hj212_codes import Factor
from streams.simulator.world import CALIBRATING, EXTRACTED, MAINTAINING, MINUTES, STANDSTILL, WET

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

STANDS_STILL, CALIBRATES, MAINTAINED, OVER_RANGE, FAULT = "F", "C", "M", "T", "D"
NORMAL: Final = "N"
LETTERS: Final = NORMAL + STANDS_STILL + CALIBRATES + MAINTAINED + OVER_RANGE + FAULT
_FLAG_OF_STATE: Final = {STANDSTILL: STANDS_STILL, CALIBRATING: CALIBRATES, MAINTAINING: MAINTAINED}

PLACES: Final[Mapping[str, int]] = {
    # decimals an instrument reads, in the published unit; two where nothing stands
    **{"CO": 1, "HF": 3, "Hg": 4, "flow": 3, "temperature": 1, "pressure": 3},
    **{"T": 1, "pH": 2, "DO": 2, "EC": 1, "turbidity": 1, "CODMn": 2, "COD": 1, "BOD5": 1, "SS": 1},
    **{"NH3N": 3, "TP": 3, "TN": 2, "coliforms": 0, "FC": 0, "algae": 0, "hardness": 0, "TDS": 0},
    **{"Fe": 3, "Mn": 3, "NO2N": 3, "F": 3, "VP": 4, "CN": 4, "Cd": 5, "As": 4, "Pb": 4, "Cu": 3, "Zn": 3},
}
AIR_PLACES: Final = {"CO": 3}
"""Of an air station; one decimal where nothing stands."""
MEAN_PLACES: Final = 1
"""Decimals a mean or a converted value has more than the instrument."""
AMOUNT_PLACES: Final = {"m3": 1, "kg": 3, "g": 3}

LEAST_SHARE_GAS: Final = Fraction(3, 4)
"""HJ 212-2017: with that share of normal parts a period of flue gas is normal. Of waste water, only with all."""


def rounded(numerator: Ints, denominator: Ints | int) -> Ints:
    """Whole quotients, half to even; ``denominator`` above 0."""
    quotient, rest = np.divmod(numerator, denominator)
    twice = 2 * rest
    up = (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1))
    found: Ints = quotient + up
    return found


def rounded_fraction(values: Iterable[int | Fraction], factor: Fraction) -> Ints:
    """Values times a fraction, half to even, exactly (Python's integers: 18 digits are too few for amounts)."""
    return np.array([_half_even(*(value * factor).as_integer_ratio()) for value in values], np.int64)


def _half_even(numerator: int, denominator: int) -> int:
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


def texts(values: Ints, places: int) -> list[str]:
    """Decimal texts of whole numbers with so many places.

    A double divided by a power of ten and printed with that many places gives the digits back below 10**15.
    """
    form = f"%.{places}f"
    return [form % value for value in (values / 10.0**places).tolist()]


@dataclass(frozen=True)
class Channel:
    """One factor as a logger sends it.

    Attributes:
        name: of the factor.
        code: in the logger's edition.
        factor: what it is.
        per_published: what a published value is multiplied by to become one as sent.
        places: decimals of what the instrument reads, as sent.
        more: decimals a mean or a converted value has more.
    """

    name: str
    code: str
    factor: Factor
    per_published: Fraction
    places: int
    more: int = MEAN_PLACES

    def read(self, values: Floats) -> Ints:
        """What the instrument shows of true values (published unit), times ``10**places``."""
        return np.rint(values * (float(self.per_published) * 10.0**self.places)).astype(np.int64)

    @property
    def has_amount(self) -> bool:
        """Whether an amount can be made of it: a flow, or a mass per volume."""
        return bool(self.factor.amount_unit) and (self.name == "flow" or self.factor.unit in ("mg/m3", "mg/L"))

    def sent(self, published: Fraction) -> int:
        """A published number as sent, times ``10**places``."""
        exact = published * self.per_published * 10**self.places
        return _half_even(exact.numerator, exact.denominator)


def flags_of(
    channel: Channel, medium: str, state: npt.NDArray[np.uint8], values: Ints, top: str | None
) -> npt.NDArray[np.uint8]:
    """Flag of every reading, as an index into ``LETTERS``; ``state`` is the outlet's at each of them."""
    touched = EXTRACTED | {"PM"} if medium == hj212_codes.GAS else WET
    flags = np.zeros(len(values), np.uint8)
    for what, letter in _FLAG_OF_STATE.items():
        if what != STANDSTILL and channel.name not in touched:
            continue
        if what == CALIBRATING and channel.name == "PM":
            continue
        flags[state == what] = LETTERS.index(letter)
    if top is not None:
        flags[(flags == 0) & (values > channel.sent(Fraction(top)))] = LETTERS.index(OVER_RANGE)
    return flags


class Readings:
    """A factor of a day, at every minute or at every instant, as whole numbers."""

    def __init__(self, channel: Channel, values: Ints, flags: npt.NDArray[np.uint8]) -> None:
        self.channel, self.values, self.flags = channel, values, flags
        self.converted: Ints | None = None
        self.converts = np.zeros(len(values), np.bool_)

    def convert(self, reference: Fraction, oxygen: Readings) -> None:
        """To reference oxygen, ``C·(21−ref)/(21−O2)``, where O2 is good and below 21 %, or the plant stands."""
        of = oxygen.channel
        rest = of.sent(Fraction(21)) - oxygen.values
        factor = (21 - reference) * of.per_published * 10 ** (of.places + self.channel.more)
        self.converts = (rest > 0) & np.isin(oxygen.flags, (0, LETTERS.index(STANDS_STILL)))
        bottom = np.where(self.converts, rest, 1) * factor.denominator
        self.converted = rounded(self.values * factor.numerator, bottom)

    def instants(self) -> list[str]:
        """The group of each reading by itself."""
        code, places = self.channel.code, self.channel.places
        letters = [LETTERS[flag] for flag in self.flags.tolist()]
        shown = texts(self.values, places)
        if self.converted is None:
            return [f"{code}-Rtd={v},{code}-Flag={f}" for v, f in zip(shown, letters, strict=True)]
        zs = texts(self.converted, places + self.channel.more)
        return [
            f"{code}-Rtd={v},{code}-ZsRtd={z},{code}-Flag={f}" if fit else f"{code}-Rtd={v},{code}-Flag={f}"
            for v, z, fit, f in zip(shown, zs, self.converts.tolist(), letters, strict=True)
        ]

    def periods(self, length: int, least: Fraction, flow: Readings | None, weighed: bool) -> list[str]:
        """The group of each period of so many minutes; the readings are those of minutes.

        Args:
            length: minutes.
            least: share of normal minutes that makes a period normal.
            flow: of the outlet, for amounts.
            weighed: means of concentrations are weighed by the flow (emission.md F14).
        """
        channel, count = self.channel, MINUTES // length
        flags = self.flags.reshape(count, length)
        letters = _period_flags(flags, least)
        normal = flags == 0
        use = np.where(normal.any(axis=1)[:, None], normal, True)  # without one normal minute: what there is
        parts = [_span(self.values, use, channel.places, "", channel.more)]
        if weighed and flow is not None and channel.has_amount and channel is not flow.channel:
            parts[0] = _weighed(self.values, flow.values, use, channel)
        if self.converted is not None:
            fits = use & self.converts.reshape(count, length)
            parts.append(_span(self.converted, fits, channel.places + channel.more, "Zs", more=0))
        if channel.has_amount and flow is not None:
            parts.append(self._amounts(normal, flow, least))
        code = channel.code
        return [
            ",".join([f"{code}-{each}" for part in row for each in part] + [f"{code}-Flag={letter}"])
            for *row, letter in zip(*parts, letters, strict=True)
        ]

    def _amounts(self, normal: npt.NDArray[np.bool_], flow: Readings, least: Fraction) -> list[list[str]]:
        """``Cou`` of each period: m3 of the flow, kg of anything else; of a day, what its hours are together (F10).

        A calibration does not stop the emission: an hour with enough normal minutes is their mean for all of it (F9).
        """
        own, of_flow = self.channel, flow.channel
        metres = Fraction(1) / of_flow.per_published * units.ratio(of_flow.factor.unit, "m3/s") * 60
        metres /= 10**of_flow.places
        if own is of_flow:
            moved, factor = self.values, metres
        else:
            moved = self.values * flow.values
            mass = Fraction(1) / own.per_published * units.ratio(own.factor.unit, "mg/m3") / 10**own.places
            factor = metres * mass / 10**6 * units.ratio("kg", own.factor.amount_unit)
        part = min(normal.shape[1], 60)
        used = normal.reshape(-1, part)
        count = used.sum(axis=1)
        count = np.where(count * least.denominator >= part * least.numerator, count, part)
        sums = (moved.reshape(used.shape) * used).sum(axis=1)
        exact = [Fraction(amount * part, of) for amount, of in zip(sums.tolist(), count.tolist(), strict=True)]
        together = normal.shape[1] // part
        periods = (sum(exact[at : at + together], Fraction()) for at in range(0, len(exact), together))
        places = AMOUNT_PLACES[own.factor.amount_unit]
        return [[f"Cou={text}"] for text in texts(rounded_fraction(periods, factor * 10**places), places)]


def _span(values: Ints, use: npt.NDArray[np.bool_], places: int, prefix: str, more: int) -> list[list[str]]:
    """Least, mean and greatest of each period over the minutes in use; nothing where there are none."""
    grid = values.reshape(use.shape)
    number = use.sum(axis=1)
    mean = rounded((grid * use).sum(axis=1) * 10**more, np.maximum(number, 1))
    far = np.iinfo(np.int64).max
    low = np.where(use, grid, far).min(axis=1)
    high = np.where(use, grid, -far).max(axis=1)
    low, high = (np.where(number > 0, each, 0) for each in (low, high))
    rows = zip(texts(low, places), texts(mean, places + more), texts(high, places), number.tolist(), strict=True)
    return [
        [f"{prefix}Min={least}", f"{prefix}Avg={average}", f"{prefix}Max={most}"] if any_used else []
        for least, average, most, any_used in rows
    ]


def _weighed(values: Ints, flow: Ints, use: npt.NDArray[np.bool_], channel: Channel) -> list[list[str]]:
    """As :func:`_span`, the mean weighed by the flow; without flow no value (emission.md F14)."""
    grid, litres = values.reshape(use.shape), flow.reshape(use.shape) * use
    total = litres.sum(axis=1)
    mean = rounded((grid * litres).sum(axis=1) * 10**channel.more, np.maximum(total, 1))
    plain = _span(values, use, channel.places, "", channel.more)
    return [
        [low, f"Avg={average}", high] if any_flow else []
        for (low, _, high), average, any_flow in zip(
            plain, texts(mean, channel.places + channel.more), (total > 0).tolist(), strict=True
        )
    ]


def _period_flags(flags: npt.NDArray[np.uint8], least: Fraction) -> list[str]:
    """Flag of each period: N with enough normal minutes, else the letter that fills as many, else D."""
    if not flags.any():
        return [NORMAL] * len(flags)
    length = flags.shape[1]
    counts = np.stack([(flags == nth).sum(axis=1) for nth in range(len(LETTERS))], axis=1)
    enough = counts * least.denominator >= length * least.numerator
    if least == 1:  # one abnormal part makes the period abnormal
        other = np.argmax(counts[:, 1:], axis=1) + 1
        found = np.where(enough[:, 0], 0, other)
    else:
        found = np.where(enough.any(axis=1), np.argmax(enough, axis=1), LETTERS.index(FAULT))
    return [LETTERS[nth] for nth in found.tolist()]

"""Axes of charts: values to positions, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Values that span a larger ratio than this are easier to read on a logarithmic axis.
LOG_FROM = 10.0
MOST_TICKS = 5


@dataclass(frozen=True)
class Axis:
    """Maps values low to high (in units of the data) to positions start to end (of the drawing)."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool
    ticks: list[float]

    @staticmethod
    def fit(values: Sequence[float], start: float, end: float, allow_log: bool = False) -> Axis:
        """Fits an axis tightly around one or more finite values.

        It is logarithmic if that is allowed and the values are positive and span a ratio of LOG_FROM.
        """
        low, high = float(min(values)), float(max(values))
        logarithmic = allow_log and low > 0.0 and high / low >= LOG_FROM
        if low == high:
            margin = abs(low) * 0.1 or 1.0
            low, high = low - margin, high + margin
        return Axis(low, high, start, end, logarithmic, (log_ticks if logarithmic else even_ticks)(low, high))

    def at(self, value: float) -> float:
        """The position of a value."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def even_ticks(low: float, high: float) -> list[float]:
    """At most five ticks in [low, high], at multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / MOST_TICKS))
    for step in (power, 2.0 * power, 5.0 * power, 10.0 * power, 20.0 * power):
        # A tick at the very end must not be lost to rounding.
        slack = 1e-9 * step
        first, last = math.ceil((low - slack) / step), math.floor((high + slack) / step)
        if last - first < MOST_TICKS:
            return [number * step for number in range(first, last + 1)]
    raise AssertionError(f"no step for {low} to {high}")


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks in [low, high] at 1, 2 and 5 times powers of ten, or at fewer factors; at most five."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1.0, 2.0, 5.0), (1.0, 3.0)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= MOST_TICKS:
            return ticks
    powers = [10.0**decade for decade in decades if low <= 10.0**decade <= high]
    return powers[:: math.ceil(len(powers) / MOST_TICKS)]


def number_text(value: float) -> str:
    """A number in at most four digits: 0.0123, 23.17, 1.4k, 200k, 2M, 1.5e-5."""
    size = abs(value)
    if not math.isfinite(value):
        text = str(value)
    elif size >= 1e6:
        text = f"{value / 1e6:.4g}M"
    elif size >= 1e3:
        text = f"{value / 1e3:.4g}k"
    elif size >= 1e-3 or size == 0.0:
        text = f"{value:.4g}"
    else:
        digits, _, exponent = f"{value:.1e}".partition("e")
        text = f"{float(digits):g}e{int(exponent)}"
    return text.replace("-", "\N{MINUS SIGN}")

"""Conformal ranks: where a run's value lies among earlier ones of its stratum, as a standard normal score.

    u = (#{reference < y} + U (#{reference = y} + 1)) / (n + 1),   U uniform on [0, 1)
    z = Phi^-1(u)

Runs that are exchangeable within their stratum give z that are N(0, 1) and independent, whatever the
distribution, ties, bounds or task mix (Vovk, Gammerman and Shafer 2005, ch. 2). The reference grows with
every value. A finite baseline taken for the truth instead gives 5 to 11 false alarms for each one promised.

Above its capacity the reference is a uniform sample of all that came (reservoir, Vitter 1985), not a window,
which would forget slow drift. Independence then holds up to the sampling: 1.05 false alarms in 10,000 runs
with 200 values a stratum, where 1 is promised; 50 are too few (3.2).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import NormalDist

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_ODDS = 1e-9
"""Nearest that a rank comes to 0 or 1: scores end at 6."""

_inverse = NormalDist().inv_cdf


@dataclass(slots=True)
class Cell:
    """Number, mean and sum of squares around it of some values."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one value (Welford 1962)."""
        self.n += 1
        step = value - self.mean
        self.mean += step / self.n
        self.squares += step * (value - self.mean)


def cell(values: list[float]) -> Cell:
    """Return the cell of some values.

    >>> cell([1.0, 2.0, 3.0])
    Cell(n=3, mean=2.0, squares=2.0)
    """
    out = Cell()
    for value in values:
        out.add(value)
    return out


@dataclass(slots=True)
class Reference:
    """Earlier values of one variable in one stratum."""

    seen: int = 0  # values that it was given
    values: list[float] = field(default_factory=list)  # those kept, ascending
    numbers: list[int] = field(default_factory=list)  # the run that each of them came from
    learnt: Cell = field(default_factory=Cell)  # of the values of the baseline, all of them


def rank(values: list[float], value: float, uniform: float) -> float:
    """Return where ``value`` lies among ascending ``values``, in (0, 1); ``uniform`` decides among ties.

    >>> rank([1.0, 2.0, 2.0, 5.0], 2.0, 0.5), rank([], 7.0, 0.25)
    (0.5, 0.25)
    """
    low = bisect_left(values, value)
    ties = bisect_right(values, value, low) - low
    return (low + uniform * (ties + 1)) / (len(values) + 1)


def score(u: float) -> float:
    """Return the standard normal score of a rank.

    >>> score(0.5), round(score(0.975), 2), round(score(0.0))
    (0.0, 1.96, -6)
    """
    return _inverse(min(max(u, _ODDS), 1.0 - _ODDS))


def add(reference: Reference, value: float, number: int, uniform: float, capacity: int) -> None:
    """Put the value of run ``number`` among the others; when full, in place of a random one, or nowhere."""
    reference.seen += 1
    if len(reference.values) >= capacity:
        place = int(uniform * reference.seen)
        if place >= len(reference.values):
            return
        del reference.values[place], reference.numbers[place]
    at = bisect_right(reference.values, value)
    insort(reference.values, value)
    reference.numbers.insert(at, number)


def forget(reference: Reference, since: int) -> None:
    """Take out the values of run ``since`` and later ones: they belong to a change."""
    kept = [i for i, number in enumerate(reference.numbers) if number < since]
    if len(kept) == len(reference.numbers):
        return
    reference.seen = round(reference.seen * len(kept) / len(reference.numbers))
    reference.values = [reference.values[i] for i in kept]
    reference.numbers = [reference.numbers[i] for i in kept]


def drop(reference: Reference, number: int) -> None:
    """Take out the value of one run, as if it had not come."""
    if number in reference.numbers:
        at = reference.numbers.index(number)
        del reference.values[at], reference.numbers[at]
        reference.seen -= 1


def stream(*words: object) -> int:
    """Return the key of a stream of random numbers, 64 bits of BLAKE2b over its names."""
    text = "\x1f".join(map(str, words)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def uniform(key: int, place: int) -> float:
    """Return number ``place`` of a stream, uniform on [0, 1): SplitMix64 (Steele, Lea and Flood 2014).

    A number is a function of its place, so that a restored monitor goes on with the same ones.

    >>> 0.0 <= uniform(stream("agent", 1), 7) < 1.0, uniform(1, 2) == uniform(1, 2)
    (True, True)
    """
    x = (key + (place + 1) * _GOLDEN) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((x ^ (x >> 31)) >> 11) * 2.0**-53

"""How many runs an agent makes in a day, from when they ended: 24 counts, whatever the pace."""

from __future__ import annotations

from dataclasses import dataclass, field

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS


@dataclass(slots=True)
class Pace:
    """Runs in each of the last 24 hours of the clock that had the last run in them."""

    first_ns: int | None = None  # end of the first run
    last_ns: int | None = None  # end of the last one
    hours: dict[int, int] = field(default_factory=dict)

    def take(self, end_ns: int) -> None:
        """Take the end of the next run [ns]."""
        hour = end_ns // HOUR_NS
        if self.last_ns is None or hour != self.last_ns // HOUR_NS:
            self.hours = {h: n for h, n in self.hours.items() if hour - 24 < h <= hour}
        self.hours[hour] = self.hours.get(hour, 0) + 1
        self.first_ns = end_ns if self.first_ns is None else min(self.first_ns, end_ns)
        self.last_ns = end_ns

    @property
    def per_day(self) -> float | None:
        """Runs in 24 hours at the pace of these hours; None where they are less than one hour.

        >>> pace = Pace()
        >>> for minute in range(91):
        ...     pace.take(minute * HOUR_NS // 60)
        >>> round(pace.per_day)  # one a minute
        1456
        """
        if self.first_ns is None or self.last_ns is None:
            return None
        span = self.last_ns - max(self.first_ns, (self.last_ns // HOUR_NS - 23) * HOUR_NS)
        return sum(self.hours.values()) * DAY_NS / span if span >= HOUR_NS else None

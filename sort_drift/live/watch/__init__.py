"""The monitors of a fleet: run tables go in, happenings come out. READ FIRST: fleet.py.

    run table -rows-> rows -agent-> (footing: task, regime, order) -> monitor.Watch -> happenings

rows.py      what is needed of a run table, and nothing that a monitor could choke on
footing.py   what the runs of one agent are placed by, frozen: cut points of load, lengths, order of tools
baseline.py  the part of a frozen baseline that is an agent's
agent.py     one agent: learning, then watched
fleet.py     all of them: runs seen, limits, runs that could not be judged
state.py     plain values and back        show.py  what the page shows

No input or output and no clock, so that the same runs in the same order give the same happenings: after a
crash the service replays the run tables that it has stored.
"""

from sort_drift.live.watch.fleet import Fleet

__all__ = ["Fleet"]

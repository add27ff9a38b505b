"""What watching promises, shown on simulated streams and on resampled real runs: python -m benchmarks.live.

Everything goes through the product's own ``monitor.Watch``, ``monitor.locate`` and ``live.watch.Fleet``.

    streams.py   streams with a known truth, and of tau-bench
    quiet.py     10   false alarms in 10,000 runs when nothing changed
    delays.py    10   runs until a change is seen, named, called too small, called over
    fleet.py     10   both through the service's fleet: run tables, no baseline
    onsets.py    11   when it began
"""

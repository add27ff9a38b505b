"""From acknowledged to stored to measured: journal, traces that are not over, the one writer of the store.

journal.py     frames on disk, and what is left of them after a crash
committer.py   requests -> canonical spans -> journal, several requests with one sync; redact.py what may stay
traces.py      spans in memory until their run is over
keeper.py      journals -> segments, runs that are over -> run tables -> monitors; startup.py before it begins
"""

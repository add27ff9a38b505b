"""Journal, committer, traces, keeper."""

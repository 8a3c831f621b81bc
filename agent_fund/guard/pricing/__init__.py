"""Options, dated futures and pool shares as exact bounds in one driver each, under assumptions."""

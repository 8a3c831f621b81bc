"""A run file in, a run folder out: log, book history, summary, manifest, report."""

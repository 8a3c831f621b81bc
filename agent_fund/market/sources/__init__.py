"""Where prices come from: each source turns what it reads into checked ``BarColumns``."""

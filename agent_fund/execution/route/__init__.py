"""Routes over venues and places: quotes, search, splitting, costs, explanation, and the run."""

"""From admitted trades to fills: the ledger, the desk's order machine, venues and their costs.

``execution`` imports ``domain`` alone and refuses every value that is not exact.
"""

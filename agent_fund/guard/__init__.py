"""The guard: no order leaves without a proof, and no proof is believed because a solver said so.

``guard.kernel`` is the trusted base. Nothing here does I/O, reads a clock, or decides with a float.
"""

"""A fund on real venues, in real time: the same loop, another clock and other venues."""

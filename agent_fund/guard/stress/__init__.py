"""Stress sets: the declared markets in which loss limits are proved, and where they come from."""

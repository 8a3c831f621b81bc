"""Agents turn a market snapshot and the fund's book into a proposal; they can do nothing else.

A strategy is a class with ``decide``. A language model is one way to write ``decide``.
"""

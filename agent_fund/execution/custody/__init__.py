"""Custody on chain: a Safe that moves only what a verdict signed by the guard's key covers."""

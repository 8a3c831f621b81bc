"""Prices: from venues and files to a point-in-time Snapshot.

A snapshot at t holds nothing stamped after t. A bar [open_time, close_time) is known, whole, at
its close_time; its open is known at open_time. Gaps are refused or reported, never filled.
"""

"""Repair: what of a proposal can be sent when all of it cannot."""

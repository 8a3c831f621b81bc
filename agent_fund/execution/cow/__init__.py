"""Signed intents at CoW Protocol: an order is a signature, a fill is what the chain says."""

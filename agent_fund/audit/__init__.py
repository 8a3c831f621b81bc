"""The append-only Merkle log, commitments to decisions, and the manifest of a run folder.

``audit`` never loses an acknowledged leaf, and nothing in it asks to trust the operator.
"""

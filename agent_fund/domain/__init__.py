"""The nouns of the fund: exact money, instruments, books, proposals, orders, fills.

``domain`` imports no other room and refuses every value that is not exact.
"""

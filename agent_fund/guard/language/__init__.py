"""The mandate language: one syntax tree, four meanings that agree.

A guardrail written as a Python function is run once, symbolically; what it returns is a tree that
the mandate holds as canonical JSON. Auditors read the tree and never run the function.
"""

"""The trusted base: a loss in normal form, a certificate, and the exact integer checker.

It imports the standard library only. ``python -m agent_fund.guard.kernel FILE`` checks a file.
"""

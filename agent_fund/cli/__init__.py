"""The ``agent-fund`` command: what a terminal shows, and what a script may rely on.

The rooms do the work; a command imports them when it runs, so that ``--help`` stays quick.
"""

"""Questions about mandates that solvers answer: what is implied, vacuous or dead, and what differs.

Nothing here admits a trade. A solver's *sat* is a book that is evaluated again exactly; its *unsat*
informs a person, and is said only if two solvers say it.
"""

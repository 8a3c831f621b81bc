"""A sentence and a formula for every guardrail."""

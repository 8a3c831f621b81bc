"""Ready-made guardrails: each one limit, what it measures, and how it explains a refusal."""

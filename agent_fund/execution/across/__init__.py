"""Currency carried from chain to chain through Across: deposit, fill by a relayer, or refund."""

"""EVM chains: one nonce lane a key, exact approvals, swaps whose worst outcome is on chain."""

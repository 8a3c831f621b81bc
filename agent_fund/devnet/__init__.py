"""A private network for trying the whole way out: chains, contracts, an exchange, liquidity."""

"""A loopback exchange: what ccxt's binance and hyperliquid classes speak to, with faults."""

"""Exchanges through ccxt: exact amounts, client ids asked before anything is sent again."""

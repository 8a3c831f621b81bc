"""What stands between the desk and a real venue: states, stored bytes, adapters."""

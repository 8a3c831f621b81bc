"""A NEAR chain on loopback: real transactions and signatures, its contracts native Python."""

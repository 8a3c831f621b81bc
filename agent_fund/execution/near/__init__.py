"""NEAR as a venue: the intents verifier, its solver relay, 1Click, and chain signatures."""

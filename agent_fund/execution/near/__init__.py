"""NEAR: the intents verifier, its solver relay, 1Click, and chain signatures, as venues see them."""

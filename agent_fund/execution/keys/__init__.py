"""Keys: where each may come from, and signers that use them and never show them."""

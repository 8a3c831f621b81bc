"""The untrusted search for certificates, and the scenarios that it shows for what has none."""

"""The contracts' artifacts, as ``contracts/compile.py`` writes them: ABI, bytecode, settings."""

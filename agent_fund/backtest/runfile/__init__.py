"""The run file: one TOML file a run, every model of the market explicit, unknown keys refused.

Paths in it are relative to the workspace, the folder above the one that holds the run file.
Numbers that decide anything are strings ("0.02%", "1000000") or integers; floats are refused.
"""

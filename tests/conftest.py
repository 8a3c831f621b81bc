"""What every test process begins with."""

import os
import signal

import pytest
from hypothesis import settings

# Whoever starts the suite in the background of a script starts it with Ctrl-C ignored, and every
# child inherits that; tests that interrupt a child would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: tests on real venues wait for bars and blocks."""
    return (os.cpu_count() or 1) + 1


# The suite says the same of the same code each time; `make explore` looks where it did not.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

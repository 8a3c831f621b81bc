"""What every test process begins with."""

import signal

# Whoever starts the suite in the background of a script starts it with Ctrl-C ignored, and every
# child inherits that; tests that interrupt a child would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

"""One self-contained page a run, for the investor: was the promise kept, and what did it cost."""

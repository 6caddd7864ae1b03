"""Who is connected here, and how each of them gets every entry of a log once and in order."""

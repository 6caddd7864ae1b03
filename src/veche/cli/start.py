"""The entry point of `veche`."""

import gc


def main() -> None:
    """Import the command line, and run it.

    Nothing that is imported is garbage. To look for some meanwhile, and again each time until the server runs, takes a
    tenth of a start.
    """
    gc.disable()
    from veche.cli.main import main as run  # only now

    gc.freeze()
    gc.enable()
    run()

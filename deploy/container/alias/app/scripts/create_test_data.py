"""`python -m app.scripts.create_test_data`, as in the document of the original server: it is `veche demo`."""

import sys

from veche.cli.main import main

if __name__ == "__main__":
    sys.argv[1:] = ["demo"]
    main()

#!/usr/bin/env python
"""Labels in, a better model out: the nightly job."""

from fink_al.cli.main import main

if __name__ == "__main__":
    main(["train"])

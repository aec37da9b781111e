#!/usr/bin/env python
"""A night scored again by the code of the stream: a batch job, for spark-submit."""

from fink_al.cli.main import main

if __name__ == "__main__":
    main(["replay"])

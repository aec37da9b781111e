#!/usr/bin/env python
"""Alerts in, candidates out: the streaming job, for spark-submit."""

from fink_al.cli.main import main

if __name__ == "__main__":
    main(["stream"])

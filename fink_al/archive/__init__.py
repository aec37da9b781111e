"""Scored alerts of one target: names, reading, intake of parts, upkeep of files."""

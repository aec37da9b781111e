"""Features: light curves to one matrix, one row per alert."""

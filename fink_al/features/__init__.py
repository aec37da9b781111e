"""Features: light curves to one matrix, a row an alert."""

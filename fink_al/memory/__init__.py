"""The memory of what objects did before the history of their alerts begins."""

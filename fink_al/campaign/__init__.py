"""Campaigns: the loop of labels and models, replayed over alerts whose types are known."""

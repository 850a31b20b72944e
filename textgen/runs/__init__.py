"""Runs: a corpus and a model joined in a folder, trained, resumed, opened and shared."""

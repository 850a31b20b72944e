"""Sentences: codes, walks, samples and measures of a model of text."""

"""Sentences: what a person does with a model of text."""

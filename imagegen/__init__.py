"""Pictures as rows of palette tokens, on the core that `textgen` holds. Its models and verbs are not written yet."""

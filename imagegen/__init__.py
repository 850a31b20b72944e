"""Pictures as rows of palette tokens, on the core that `textgen` holds: backbones and encoders. No verbs yet."""

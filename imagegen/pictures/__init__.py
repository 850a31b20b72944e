"""Pictures: samples, completions, codes and measures of a model of pictures."""

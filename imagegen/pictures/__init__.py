"""Pictures: what a person does with a model of pictures."""

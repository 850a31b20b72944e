"""Sound as it comes: files, sample rates, WAV chunk by chunk."""

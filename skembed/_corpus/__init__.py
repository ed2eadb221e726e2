"""From what users pass to token ids with a vocabulary."""

"""From token ids to co-occurrence counts, and from these to positive PMI."""

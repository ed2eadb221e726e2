"""From the input of users to token ids and a vocabulary."""

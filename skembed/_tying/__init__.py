"""How word and context vectors share parameters: strategies, biases, storage."""

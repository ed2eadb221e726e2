"""From documents or counts to vectors: training, decompositions, losses."""

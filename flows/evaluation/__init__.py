"""The evaluation of one model: the questions, its replies, attacks on its weights, the judge."""

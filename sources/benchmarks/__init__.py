"""Other unlearning benchmarks in the formats that their authors publish, read as people with questions."""

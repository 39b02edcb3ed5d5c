"""Review: a sample of facts for a reader, and the verdicts that come back."""

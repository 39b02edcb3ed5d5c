"""The page on which a sample of facts is reviewed."""

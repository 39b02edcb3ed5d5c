"""Live Wikidata and Commons as a source, and recorded answers of theirs."""

"""The people of the embedded world: names, biographies, private life, as Wikidata entities."""

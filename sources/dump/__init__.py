"""Wikidata's dump as a source: reading it in blocks, and the extract that a build reads."""

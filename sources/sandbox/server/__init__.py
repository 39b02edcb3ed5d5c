"""The embedded world's Wikidata and Commons on loopback, with faults where they are wanted."""

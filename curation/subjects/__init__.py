"""Who becomes a subject: selection, rosters, names that are looked up."""

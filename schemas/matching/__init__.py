"""The answer rule: when a reply gives an accepted answer, with amounts, dates and blood types."""

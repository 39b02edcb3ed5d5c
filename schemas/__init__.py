"""Records, tables, artifacts and recipes: what every other package agrees on."""

"""The report of a study: findings, conclusions in sentences, tables and charts on one page."""

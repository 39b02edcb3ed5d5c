"""The rows of the table of methods, a file for each group; unlearn/methods/table.py puts them together."""

"""What the pages of report and explorer share: the shell, its looks and scripts, tables as text."""

"""The nine stages of a build, one file each, and the table of what they read."""

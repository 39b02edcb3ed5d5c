"""The commands of a build: build, add, status, the checks before, the explorer, a dump as source."""

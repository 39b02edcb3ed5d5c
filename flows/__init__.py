"""Composition: the command line, the build, studies; the only importer of Prefect."""

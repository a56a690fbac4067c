"""Repositories: the domain's words for rows. One instance lives for one unit of work."""

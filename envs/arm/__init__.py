"""A robot arm on a table, with a tool, toys and distractors."""

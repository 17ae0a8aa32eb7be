"""Worlds with sparse rewards: one kernel each, shown through the faces."""

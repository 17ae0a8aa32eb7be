"""Point maze: a mass that is pushed through a maze; see world.py."""

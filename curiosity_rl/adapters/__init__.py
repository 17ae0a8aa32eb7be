"""Doors between worlds, intrinsic rewards and learning libraries."""

"""Agents on Stable-Baselines3: algorithms, policies, tutors, experiments."""

"""The tutor world: teach a new simulated student, whose knowledge you cannot see."""

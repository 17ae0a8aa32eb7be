"""Parameter tables derived from real answers; see README.md beside them."""

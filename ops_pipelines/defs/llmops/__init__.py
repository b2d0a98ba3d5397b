"""Models one does not own: what they are asked, and what they are given to read."""

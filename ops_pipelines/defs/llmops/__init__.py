"""Models one does not own: what they are asked."""

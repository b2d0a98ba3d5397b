"""Models one does not own: corpora to retrieve from."""

"""Models one does not own. Empty until prompts and corpora arrive."""

"""Offline half: files become pages, blocks, passages, vectors and an index folder."""

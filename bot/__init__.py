"""Online half: a message becomes a safety check, a query, hits, an answer and its rendering."""

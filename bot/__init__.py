"""Online half: a message becomes a safety check, a query, hits, an answer and its rendering."""

import os

# Several questions share the cores, and numpy's own threads would fight over them (docs/evaluation.md).
# It counts only before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

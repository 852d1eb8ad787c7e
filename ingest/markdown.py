"""stub"""
from ingest.datatypes import Block, Document, Omission
def find_markdown_blocks(document: Document) -> tuple[tuple[Block, ...], tuple[Omission, ...]]:
    return (), ()

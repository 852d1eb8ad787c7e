"""How the learned parts were made; nothing here is needed to run the product."""

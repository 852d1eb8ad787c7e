"""Speed, scale and other guides: run by hand."""

"""Event source mappings, and batches as they deliver them."""

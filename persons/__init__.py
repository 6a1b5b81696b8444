"""One person's data: exported, and erased, through everything that is derived from them."""

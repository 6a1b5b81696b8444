"""The docs site: pages of docs/ as Zensical takes them, reference pages that are generated, and what checks them."""

"""Report mail: the audit trail for staff, and what receivers can do about it."""

"""Mail that was sent, from the receiver's side."""

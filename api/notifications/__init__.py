"""What a person wants to be told, where and when."""

"""What an assistant may read of tutorq, by the Model Context Protocol: `tutorq mcp`."""

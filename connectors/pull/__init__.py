"""Reading from outside, on dlt (the extra `connectors`)."""

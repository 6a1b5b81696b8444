"""Where sessions come from: an application's database, sheets, booking tools, meetings."""

"""What every part of tutorq stands on: settings, the database, migrations, and loading."""

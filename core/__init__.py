"""What every part of tutorq stands on: settings, the database, locks, migrations, and running dbt."""

"""The tutor's own page: HTML from the server, without a log-in and without scripts but for opening a link."""

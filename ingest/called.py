"""What people call our columns and the words in them: in English, German, French and Spanish."""

# What people call our columns, the likeliest first. Compared by `spelling.normal`, as a whole, then as a part.
CALLED: dict[str, tuple[str, ...]] = {
    "session_id": (
        "session", "lesson id", "booking id", "appointment id", "event id", "event uuid", "uid", "id", "ref",
        "lektion", "buchungsnummer", "buchung", "termin nr", "termin id", "unterricht nr", "séance", "clase id",
    ),
    "tutor_id": (
        "tutor", "tutor email", "teacher", "instructor", "coach", "host", "staff", "employee", "provider", "contractor",
        "calendar", "user email", "lehrkraft", "lehrer", "lehrerin", "dozent", "nachhilfelehrer", "professeur",
        "enseignant", "profesor", "docente",
    ),
    "student_id": (
        "student", "student email", "pupil", "learner", "client", "customer", "attendee", "invitee email", "invitee",
        "recipient", "child", "email", "schüler", "schülerin", "lernende", "kunde", "teilnehmer", "élève", "alumno",
        "estudiante",
    ),
    "scheduled_time": (
        "start", "start time", "starts at", "start date time", "lesson date", "session date", "appointment time",
        "date time", "when", "date", "beginn", "anfang", "startzeit", "datum", "début", "inicio", "fecha",
    ),
    "status": ("state", "outcome", "attendance", "canceled", "cancelled", "result", "zustand", "statut", "estado"),
    "subject": ("topic", "course", "service", "event type name", "appointment type", "type", "job", "fach",
        "unterrichtsfach", "kurs", "matière", "asignatura", "materia"),
    "booked_at": ("created at", "created", "booked", "date scheduled", "event created date time", "booking date",
        "gebucht am", "erstellt am"),
    "started_at": ("actual start", "started", "joined at"),
    "completed_time": ("actual end", "ended at", "finished at", "finish", "end", "end time"),
    "cancelled_at": ("canceled at", "cancelled on", "cancellation date", "abgesagt am", "storniert am", "annulé le",
        "cancelado el"),
    "duration_minutes": ("duration", "minutes", "min", "length", "duration min", "dauer", "durée", "duración"),
    "rating": ("stars", "score", "feedback score", "review", "bewertung", "évaluation", "valoración"),
    "initiator": ("cancelled by", "canceled by", "who cancelled", "called off by", "initiated by", "moved by",
        "abgesagt von", "abgesagt durch", "storniert von", "annulé par", "cancelado por"),
    "reason_code": ("reason", "cancellation reason", "absagegrund", "motif", "motivo"),
    "lesson_id": ("group id", "class id"),
    "technical_issue": ("technical problem", "tech issue"),
    "updated_at": ("last modified", "modified", "updated", "last updated", "modified at", "geändert am"),
    "name": ("full name", "tutor name", "student name", "teacher name", "user name", "display name"),
    "email": ("e mail", "mail", "email address", "user email"),
    "subjects": ("subject", "teaches", "courses"),
    "is_active": ("active", "enabled", "status"),
    "hired_at": ("hired", "start date", "joined", "since"),
    "time_zone": ("timezone", "tz", "zeitzone", "fuseau horaire", "zona horaria"),
    "requested_at": ("requested", "moved at", "created at"),
    "original_time": ("from", "old time", "original"),
    "new_time": ("to", "new time", "moved to"),
}  # fmt: skip

# The words in columns of a fixed list, as `spelling.normal` has them.
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "status": {
        "completed": (
            "complete", "done", "attended", "taught", "finished", "held", "happened", "present", "taken",
            "durchgeführt", "stattgefunden", "gehalten", "erledigt", "effectué", "terminé", "realizada", "completada",
        ),
        "scheduled": (
            "planned", "booked", "upcoming", "confirmed", "accepted", "pending", "active", "open", "future",
            "geplant", "gebucht", "prévu", "planifié", "programada",
        ),
        "cancelled": (
            "canceled", "deleted", "calledoff", "off", "declined", "rejected", "void", "storno", "storniert",
            "abgesagt", "ausgefallen", "annulé", "cancelada",
        ),
        "no_show": (
            "missed", "absent", "didnotattend", "dna", "noshow", "unattended", "nichterschienen", "versäumt",
            "noasistió",
        ),
        "rescheduled": (
            "moved", "postponed", "shifted", "verschoben", "verlegt", "reporté", "aplazada",
        ),
    },
    "initiator": {
        "tutor": (
            "teacher", "instructor", "coach", "host", "staff", "provider", "lehrkraft", "lehrer", "lehrerin",
            "professeur", "enseignant", "profesor", "docente",
        ),
        "student": (
            "pupil", "learner", "client", "customer", "attendee", "parent", "invitee", "schüler", "schülerin",
            "eltern", "kunde", "élève", "parents", "alumno", "padres",
        ),
        "platform": (
            "admin", "system", "office", "support", "büro", "verwaltung", "bureau", "oficina",
        ),
    },
}  # fmt: skip

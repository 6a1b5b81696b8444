"""The vocabulary of the demo. Names are common first and last names, drawn at random: nobody is meant."""

SUBJECTS = (
    "Algebra",
    "English",
    "Calculus",
    "Physics",
    "Chemistry",
    "Spanish",
    "Biology",
    "Computer Science",
    "Geometry",
    "Statistics",
    "French",
    "History",
)
STYLES = ("structured", "flexible", "interactive")
TIME_ZONES = ("Europe/Vienna", "Europe/London", "America/New_York", "Asia/Kolkata")
TIME_ZONE_WEIGHTS = (0.4, 0.3, 0.2, 0.1)

# (first names, last names) of one culture each.
NAMES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("Emma", "James", "Olivia", "Daniel", "Grace", "Thomas", "Chloe", "Michael", "Hannah", "Ryan", "Lucy", "Adam"),
        ("Smith", "Johnson", "Taylor", "Brown", "Wilson", "Clark", "Walker", "Hughes", "Evans", "Parker", "Reed"),
    ),
    (
        ("Sofía", "Mateo", "Valentina", "Diego", "Camila", "Javier", "Lucía", "Andrés", "Elena", "Carlos", "Paula"),
        ("García", "Martínez", "López", "Hernández", "Torres", "Ramírez", "Flores", "Castillo", "Morales", "Vega"),
    ),
    (
        ("Priya", "Arjun", "Ananya", "Rohan", "Kavya", "Vikram", "Meera", "Aditya", "Neha", "Sanjay", "Isha"),
        ("Sharma", "Patel", "Iyer", "Gupta", "Reddy", "Nair", "Singh", "Mehta", "Desai", "Rao", "Kapoor"),
    ),
    (
        ("Wei", "Mei", "Jun", "Xiu", "Hao", "Lan", "Ming", "Yan", "Tao", "Jing", "Lei"),
        ("Chen", "Wang", "Li", "Zhang", "Liu", "Huang", "Zhao", "Wu", "Lin", "Xu"),
    ),
    (
        ("Amara", "Kwame", "Zainab", "Chidi", "Thandi", "Kofi", "Ngozi", "Sipho", "Adaeze", "Tunde", "Naledi"),
        ("Okafor", "Mensah", "Adeyemi", "Dlamini", "Nkosi", "Owusu", "Eze", "Balogun", "Moyo", "Abiola"),
    ),
    (
        ("Leyla", "Omar", "Yasmin", "Karim", "Nour", "Hassan", "Amina", "Tariq", "Salma", "Youssef"),
        ("Haddad", "Rahman", "Mansour", "Khalil", "Aziz", "Farouk", "Nasser", "Saleh", "Kaya", "Demir"),
    ),
    (
        ("Anna", "Lukas", "Zoë", "Jonas", "Marie", "Pierre", "Giulia", "Marco", "Ingrid", "Lars", "Katarzyna", "Piotr"),
        ("Müller", "Schneider", "Dubois", "Laurent", "Rossi", "Ricci", "Hansen", "Lindqvist", "Nowak", "Kowalska"),
    ),
    (
        ("Yuki", "Haruto", "Sakura", "Kenji", "Aiko", "Minjun", "Jiwoo", "Seoyeon", "Linh", "Minh", "Thao"),
        ("Tanaka", "Suzuki", "Sato", "Kim", "Park", "Choi", "Nguyen", "Tran", "Pham", "Watanabe"),
    ),
)
NAME_WEIGHTS = (0.30, 0.16, 0.14, 0.10, 0.08, 0.08, 0.08, 0.06)

GOALS = (
    "Pass the {subject} exam",
    "Catch up in {subject} after an absence",
    "Move up a grade in {subject}",
    "More confidence in {subject} class",
    "Weekly help with {subject} homework",
    "Prepare for university entrance in {subject}",
    "Refresh {subject} for work",
)

REASONS = ("illness", "conflict", "emergency", "technical", "personal", "forgotten")
# One line per reason code, in the words of whoever asked for the change.
REASON_TEXTS = (
    ("Not feeling well", "Fever and sore throat", "Lost my voice", "Doctor's appointment"),
    ("Double booked", "Another appointment at that time", "Work meeting moved", "Exam at the same hour"),
    ("Family emergency", "Accident on the way", "Urgent matter at home", "Child care fell through"),
    ("Internet is down", "Camera and microphone broken", "Power cut", "Cannot log in"),
    ("Travelling that day", "Personal matter", "Need a day off", "Moving house"),
    ("Forgot the lesson", "Mixed up the day", "Overslept", "Wrong hour in the calendar"),
)

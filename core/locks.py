"""Every advisory lock of tutorq, and the order in which locks are taken.

An erasure (persons/erase.py) takes LANDING of all entities, then DBT, then PAIRS_BUCKET of all buckets, then
PAIRS_WRITE and PREDICTIONS alone, then those of the three senders and the two queues, then rows of raw, the gates and
the tutors as a live writer does. Who sends or queues waits for nothing that an erasure has.

Postgres has one space of numbers for advisory locks in a database (and a second one of pairs of numbers), so two
meanings of one number would wait for each other. Every number stands here once; SQL repeats those that only it takes
(`dbt_project/functions/marts/`, `dbt_project/materializations/incremental.sql`), and tests/core/test_locks.py
compares them.

WORKER_TASK is another database's (Dagster's), and nobody waits for it. For the others:

A process that holds a lock may wait only for locks further down this list, so no two processes wait for each other:

1. MIGRATION, alone on its connection until the schema is up to date
2. LANDING of one entity, until its files are loaded and moved; then rows of `raw`, in the order of their keys
3. DBT, for one dbt at a time; then LIVE_MODEL alone, each model its own; then
   CASE_DRAW, then rows of app.cases in the order of tutors, then marts.publication, by a batch of scores
4. PAIRS_BUCKET, in the order of buckets; then PAIRS_WRITE, shared by whole buckets and alone for single people; then
   rows of ml.prediction_plans; or PREDICTIONS, shared, until the predictions of tutors or sessions are written
5. NEW_PERSON, by who adds one person, or APPEAL, by who sends an appeal, or the row of an appeal, by who decides
   it; then rows of `raw` by a writer of people or of sessions; then LIVE_MODEL shared, then LIVE_TUTOR in the order
   of hashes, then CASE_DRAW, then rows of app.cases in the order of tutors, then marts.publication (all within
   `marts.refresh_sessions`)
6. MAIL_SENDER; CHAT_SENDER; WEBHOOK_SENDER; MAIL_QUEUE; EVENT_QUEUE; LOCAL_KEY; MODEL_VERSION; EXPLANATION;
   SETTINGS; ACCEPTANCE: held alone, for one short transaction or call
7. AUDIT_CHAIN, by every transaction that has added to the audit log, while it commits
"""

from typing import Final

MIGRATION: Final = 7_461_001
LOCAL_KEY: Final = 7_461_002
DBT: Final = 7_461_003
# With the number of the incremental model: live writers share it, the model's own transaction takes it alone.
LIVE_MODEL: Final = 7_461_004
# With the hash of the tutor's id.
LIVE_TUTOR: Final = 7_461_005
# With the hash of the kind of model (match, session): one version is recorded at a time.
MODEL_VERSION: Final = 7_461_006
# One question to the language model at a time.
EXPLANATION: Final = 7_461_007
MAIL_SENDER: Final = 7_461_010
MAIL_QUEUE: Final = 7_461_011
CHAT_SENDER: Final = 7_461_012
WEBHOOK_SENDER: Final = 7_461_013
# One process at a time turns events into what is to be sent.
EVENT_QUEUE: Final = 7_461_014
# With the number of the bucket.
PAIRS_BUCKET: Final = 7_461_020
PAIRS_WRITE: Final = 7_461_021
# Shared by who predicts tutors or sessions, from before they are read to after their predictions are written.
PREDICTIONS: Final = 7_461_022
# With the place of the entity among those of the landing contract.
LANDING: Final = 7_461_030
# One start of a service at a time compares its settings with those of the last one, and one at a time applies some.
SETTINGS: Final = 7_461_040
# With the hash of the id: of two who add the same person, the second one waits, and finds the first one's.
NEW_PERSON: Final = 7_461_060
# With the hash of the tutor's id: what is appealed against is compared with the tutor's open appeals.
APPEAL: Final = 7_461_070
# One case at a time is drawn when to talk about it.
CASE_DRAW: Final = 7_461_050
# In Dagster's database, with the hash of a task's id: held by the worker that does it, so others see when it has died.
WORKER_TASK: Final = 7_461_110
# One assignment at a time is accepted, so that two do not give away the same place.
ACCEPTANCE: Final = 7_461_080
# A trigger takes it (migration 51): entries are chained in the order of commits.
AUDIT_CHAIN: Final = 7_461_090
# Shared by every transaction that writes rows that name people, until its end. An erasure takes it never, and looks who
# holds it: nobody waits for an erasure.
ERASED: Final = 7_461_100

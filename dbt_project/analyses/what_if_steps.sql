-- Compiled with other settings by what_if/replay.py; nothing is made of it here. One row per tutor and day with
-- sessions: the change filter after that day, and the last day for which its probability holds.
{{ filter_steps('(select as_of from intermediate.scoring_days where is_as_of)') }}

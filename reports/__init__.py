"""Report mail: SQL decides what is due, an outbox keeps it, a job renders and sends it.

- `due` finds what people should know of and queues it; running it again queues nothing twice.
- `conditions` queues an alert for every trouble of the platform, once while it lasts.
- `notifications` turns events into webhooks, chat messages and what people chose to be told.
- `outbox` keeps what is queued; `delivery` sends it, on each channel, and at most once is it accepted.
- `render` makes subject, text and HTML from what was queued.
- `providers` hand a mail to the outside world, and say what became of it.
"""

"""From the event log to everybody who follows it."""

"""The part that does the work: jobs become processes, their output becomes events."""

"""What the database holds, and the only code that speaks to it."""

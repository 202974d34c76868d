"""What people may ask for: one async function per intent, one transaction each."""

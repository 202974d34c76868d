"""The way into clusters from anywhere: TLS, a credential for each person, and relays."""

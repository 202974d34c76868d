"""Published apps: ports inside clusters that browsers reach, each under a host name of its own."""

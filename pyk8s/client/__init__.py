"""The SDK: talk to a server, follow clusters, keep logins and kubeconfigs.

Every module is small and imports only what it needs, so that a program pays
for what it uses. Start reading at `lab`.
"""

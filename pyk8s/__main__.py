"""`python -m pyk8s` is `pyk8s`."""

from pyk8s.cli.main import main

main()

"""``python -m selfsame``: the command line."""

from selfsame.cli import main

main()

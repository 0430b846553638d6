"""`python -m muniment` is the command `muniment`."""

from muniment.cli import main

main()

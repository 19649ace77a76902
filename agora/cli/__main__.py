"""``python -m agora.cli``."""

from agora.cli import main

main()

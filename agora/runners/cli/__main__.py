"""``python -m agora.runners.cli``."""

from agora.runners.cli import main

main()

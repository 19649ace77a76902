"""How a hard program is conquered: one method a file."""

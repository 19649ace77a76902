"""The command ``doctor``."""

from __future__ import annotations

import sys

from agora.cli.application import Json, app, print_table, say, say_json


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say which solver is used for each class of program, and test each in about a second."""
    from agora.solvers.doctor import advice, diagnose

    findings = diagnose()
    if as_json:
        say_json({"programs": [f.record() for f in findings], "advice": advice()})
    else:
        import pandas as pd

        frame = pd.DataFrame([f.record() for f in findings]).drop(columns="detail")
        print_table(frame, "Solvers", digits=3)
        for finding in findings:
            if not finding.passed:
                say(f"{finding.program}: {finding.detail}")
        say(advice())
    if not all(finding.passed for finding in findings):
        sys.exit(3)

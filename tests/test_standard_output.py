"""Nothing a library prints reaches standard output, seen from outside.

What compiled code writes is seen by no capturing of `sys.stdout`, so these tests start processes or read
the descriptors.
"""

from __future__ import annotations

import ast
import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import highspy
import pyomo.environ as pyo
import pytest
from typer.testing import CliRunner

from agora import cli
from agora.cli.application import app
from agora.solvers import solve_program
from agora.standard_output import CommandOutput, kept_off_stdout

ROOT = Path(__file__).resolve().parents[1]
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
POSIX = pytest.mark.skipif(
    sys.platform == "win32", reason="the C library by its POSIX name, and closed pipes"
)

LOUD = """
import atexit, ctypes, os, subprocess, sys
def greet(word):
    '''Greet as compiled code does: by stdio, which writes when the process ends, and at once.'''
    ctypes.CDLL(None).printf(b"buffered %s\\n", word.encode())
    os.write(1, f"at once {word}\\n".encode())
"""
LOUD_HIGHS = (
    LOUD
    + """
import highspy
quiet = highspy.Highs
class Greeting(quiet):
    def __init__(self):
        greet("HiGHS")
        super().__init__()
highspy.Highs = Greeting
"""
)
LOUD_COMMAND = (
    LOUD
    + """
import agora.runners.solving as solving
solve = solving.solve_scenario
def loudly(*arguments, **named):
    greet("solve")
    print("print")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    return solve(*arguments, **named)
solving.solve_scenario = loudly
atexit.register(greet, "exit")
atexit.register(print, "print at exit", file=sys.__stdout__)
from agora.cli import main
main()
"""
)


def python(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, with standard output and error as pipes."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=BUFFERED, text=True, capture_output=True, check=False)


def shell(redirections: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of Agora with the redirections of a shell."""
    command = [
        "sh",
        "-c",
        f'"$@" {redirections}',
        "sh",
        sys.executable,
        "-m",
        "agora.cli",
        *arguments,
    ]
    return subprocess.run(command, cwd=folder, env=BUFFERED, text=True, capture_output=True, check=False)


# --- a moment ------------------------------------------------------------------------------------


@POSIX
def test_what_c_prints_inside_goes_to_stderr_and_all_else_stays(tmp_path: Path) -> None:
    code = LOUD + (
        "from agora.standard_output import kept_off_stdout\n"
        "print('one')\n"
        "ctypes.CDLL(None).puts(b'mine')\n"
        "with kept_off_stdout():\n"
        "    greet('inside')\n"
        "    print('two')\n"
        "os.write(1, b'three\\n')\n"
        "with kept_off_stdout(), kept_off_stdout():\n"
        "    greet('twice')\n"
        "print('four')\n"
    )
    run = python(code, folder=tmp_path)
    assert run.stderr.splitlines() == ["at once inside", "buffered inside", "at once twice", "buffered twice"]
    assert run.stdout.split() == ["one", "mine", "two", "three", "four"]


@POSIX
@pytest.mark.parametrize("flush", [False, True])
def test_a_thread_that_prints_meanwhile_loses_no_line(flush: bool, tmp_path: Path) -> None:
    """One thread prints while two others take the descriptor again and again, and all take turns often."""
    code = (  # two that print would lose lines to each other, in CPython before 3.12.4
        "import os, sys, threading\n"
        "from agora.standard_output import kept_off_stdout\n"
        "sys.setswitchinterval(1e-5)\n"
        "done = threading.Event()\n"
        "def write():\n"
        "    for number in range(3000):\n"
        f"        print(f'{{number}}\\n', end='', flush={flush})\n"
        "def greet():\n"
        "    while not done.is_set():\n"
        "        with kept_off_stdout():\n"
        "            os.write(1, b'greeting\\n')\n"
        "greeters = [threading.Thread(target=greet) for _ in range(2)]\n"
        "writer = threading.Thread(target=write)\n"
        "for thread in (*greeters, writer): thread.start()\n"
        "writer.join()\n"
        "done.set()\n"
        "for thread in greeters: thread.join()\n"
        "os.write(1, b'end\\n')\n"
    )
    run = python(code, folder=tmp_path)
    assert run.returncode == 0
    printed, said = run.stdout.splitlines(), run.stderr.splitlines()
    assert printed.pop() == "end"
    assert "greeting" not in printed
    everything = printed + [line for line in said if line != "greeting"]
    assert sorted(map(int, everything)) == list(range(3000))
    if not flush:  # what is flushed line by line may just have found its way to the descriptor
        assert printed == [str(number) for number in range(3000)]


def test_an_error_inside_gives_the_descriptor_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="Bad file"), kept_off_stdout():
        os.write(1, b"inside\n") and os.close(-1)
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "inside\n")


@POSIX
def test_making_a_solver_prints_nothing_whoever_makes_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, quiet = ctypes.CDLL(None), highspy.Highs

    class Greeting(quiet):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            library.printf(b"buffered HiGHS\n")
            os.write(1, b"at once HiGHS\n")
            super().__init__()

    monkeypatch.setattr(highspy, "Highs", Greeting)
    for domain, power in ((pyo.Reals, 1), (pyo.Integers, 1), (pyo.Reals, 2)):
        program = pyo.ConcreteModel()
        program.x = pyo.Var(bounds=(2, 3), domain=domain)
        program.o = pyo.Objective(expr=program.x**power)
        print(solve_program(program).solver, round(program.x.value, 6))
    library.fflush(None)
    said = capfd.readouterr()
    assert said.out.splitlines() == ["HiGHS 2.0", "HiGHS 2.0", "HiGHS 2.0"]
    assert "at once HiGHS" in said.err  # by ourselves; what Pyomo makes greets into its own capture


# --- a command's whole life -----------------------------------------------------------------------


@POSIX
def test_a_command_answers_on_stdout_whatever_libraries_print(tmp_path: Path) -> None:
    run = python(LOUD_COMMAND, "solve", "circle-3", "--json", "--out", "out", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["certificate"]["passed"] is True
    said = ("solve", "exit", "child", "print", "at exit")
    assert all(word in run.stderr for word in said)
    assert run.stderr.count("buffered") == 2


@POSIX
def test_the_guards_stand_for_themselves(tmp_path: Path) -> None:
    """The greetings of these tests do reach standard output where nothing keeps them off."""
    run = python(LOUD_HIGHS + "highspy.Highs(); print('mine')", folder=tmp_path)
    assert run.stdout.splitlines() == ["at once HiGHS", "mine", "buffered HiGHS"]


@POSIX
@pytest.mark.parametrize(
    "arguments",
    [["--help"], pytest.param(["scenarios", "--help"], marks=pytest.mark.heavy), ["scenarios"]],
    ids=" ".join,
)
def test_help_and_lists_are_answers(arguments: list[str], tmp_path: Path) -> None:
    run = shell("", *arguments, folder=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(run.stdout.splitlines()) > 5


@POSIX
@pytest.mark.parametrize(
    "closed",
    [
        pytest.param((2,), marks=pytest.mark.heavy),
        (0, 1, 2),
        pytest.param((1,), marks=pytest.mark.heavy),
        pytest.param((1, 2), marks=pytest.mark.heavy),
    ],
    ids=str,
)
def test_closed_descriptors_are_no_files_of_ours(closed: tuple[int, ...], tmp_path: Path) -> None:
    """Where one is closed, the next file that is opened would get its number, and be printed into."""
    redirections = " ".join(f"{k}>&-" for k in closed)
    run = shell(redirections, "export", "circle-3", "--format", "lp", "--json", folder=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    if 1 in closed:
        assert run.stdout == ""
    else:
        assert json.loads(run.stdout)["format"] == "lp"
    assert (tmp_path / "circle-3.lp").read_text(encoding="utf-8").rstrip().endswith("end")


@POSIX
def test_a_reader_who_goes_away_is_no_error(tmp_path: Path) -> None:
    """The pipe has no reader when the command writes."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "agora.cli", "scenarios"]
    run = subprocess.run(
        command, cwd=tmp_path, env=BUFFERED, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_answer_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    run = shell(">/dev/full", "scenarios", folder=tmp_path)
    assert run.returncode == 3
    assert run.stderr == "agora: the answer cannot be written (No space left on device).\n"


# --- within another process -----------------------------------------------------------------------


def test_a_command_within_a_test_answers_its_runner() -> None:
    cli.load_commands()
    found = CliRunner().invoke(app, ["scenarios", "--json"])
    assert found.exit_code == 0
    assert json.loads(found.stdout)["circle-3"]["model"] == "fujita-ogawa"


@pytest.mark.parametrize("capture", ["capsys", "capfd"])
def test_main_within_a_test_leaves_everything_as_it_was(
    capture: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured: pytest.CaptureFixture[str] = request.getfixturevalue(capture)
    monkeypatch.setattr(sys, "argv", ["agora", "scenarios", "--json"])
    stream, place = sys.stdout, os.fstat(1).st_ino
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert sys.stdout is stream
    assert os.fstat(1).st_ino == place
    assert "circle-3" in json.loads(captured.readouterr().out)


def test_standard_output_is_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    with CommandOutput() as output:
        os.write(1, b"library\n")
        print("answer")
        assert output.borrowed  # pytest has put a stream of its own in place of sys.stdout
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("answer\nafter\n", "library\n")


@POSIX
def test_standard_output_of_a_process_is_given_back(tmp_path: Path) -> None:
    code = LOUD + (
        "from agora.standard_output import CommandOutput\n"
        "print('before')\n"
        "with CommandOutput():\n"
        "    greet('library')\n"
        "    print('answer')\n"
        "    print('past the answer', file=sys.__stdout__)\n"
        "print('after')\n"
    )
    run = python(code, folder=tmp_path)
    assert run.stdout.split() == ["before", "answer", "after"]
    assert sorted(run.stderr.splitlines()) == ["at once library", "buffered library", "past the answer"]


def test_commands_print_through_one_function() -> None:
    """A bare `print` in a command goes to stderr, like a library's."""
    for path in [file for file in ROOT.glob("agora/**/cli/*.py") if file.name != "application.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                streams = [ast.unparse(word.value) for word in node.keywords if word.arg == "file"]
                assert streams == ["sys.stderr"], f"{path.name}:{node.lineno}"

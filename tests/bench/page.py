"""The page of measurements: RESULTS.md holds a marked section a program, which replaces its own and keeps the others."""
import pathlib, re, subprocess

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE / "RESULTS.md"


def commit():
    r = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(HERE), "describe", "--always", "--dirty"],
                       capture_output=True, text=True)
    return r.stdout.strip() or "unknown"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |",
            *("| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in rows)]


def replace(path, name, lines):
    """Writes the section `name` in place; a page without it gets it at the end."""
    path = pathlib.Path(path)
    begin, end = f"<!-- {name}: written by a program, from here -->", f"<!-- {name}: to here -->"
    body = "\n".join([begin, *lines, end])
    old = path.read_text() if path.exists() else "# Measurements\n"
    new, n = re.subn(re.escape(begin) + ".*?" + re.escape(end), lambda m: body, old, count=1, flags=re.S)
    path.write_text(new if n else old.rstrip("\n") + "\n\n" + body + "\n")

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house's own rules, which no linter knows. See "The house" in docs/ARCHITECTURE.md.

usage: lint_house.py SOURCE_ROOT BUILD_FOLDER

Errors fail; budgets (length of files and functions, parameters, nesting) only warn, since one that
hurts is a sign to redesign and not to split lines.
"""

import collections
import pathlib
import re
import subprocess
import sys

# Floor -> what it may include besides itself. delivery and api do not see each other.
FLOORS = {
    "base": "",
    "platform": "base",
    "net": "base platform",
    "store": "base platform net",
    "auth": "base platform net store",
    "delivery": "base platform net store auth",
    "api": "base platform net store auth",
    "app": "base platform net store auth delivery api",
}

BANNED = {
    "strcpy strcat sprintf vsprintf strncpy strncat stpcpy": "a bounded `str` or `buf`",
    "strtok": "str.h",
    "atoi atol atoll": "a parser that reports errors",
    "gets scanf fscanf": "a bounded read",
    "alloca strdupa": "the arena",
    "rand srand random drand48 rand_r": "crypto_random",
    "system popen": "nothing: the service starts no shell",
    "localtime gmtime ctime asctime": "the _r form",
    "getenv secure_getenv setenv putenv": "app/config.c",
    "memcmp bcmp": "str_equal, or crypto_equal for secrets",
    "malloc calloc realloc strdup strndup asprintf vasprintf aligned_alloc posix_memalign": "the "
    "arena, or a function that starts something: memory is taken at start",
}
MALLOC = "malloc calloc realloc"

# Functions that start something, by their names: here memory may be taken.
STARTERS = re.compile(r"(\w+_)?(new|start|load)(_\w+)?")

# Who may nevertheless, and why.
ALLOWED = {
    "app/app.c": (MALLOC, "the start itself"),
    "app/authority.c": (MALLOC, "a part of the start"),
    "app/migration.c": (MALLOC, "a part of the start; given back when it is done"),
    "app/config.c": ("getenv", "the one reader of the environment"),
    "app/dev_environment.c": ("setenv", "dev hands settings to the service that it starts"),
    "base/codec.c": ("memcmp", "public bytes"),
    "base/str.c": ("memcmp", "str_equal itself"),
    "platform/json_in.c": (MALLOC, "what jansson asks for outside a request"),
}

# Outside library (by its headers) -> the files that may name it.
OUTSIDE = {
    r"libpq-fe\.h|libpq/.*": {
        "platform/pg.c",
        "platform/pg_hosts.c",
        "platform/pg_link.c",
        "platform/pg_rows.c",
    },
    r"openssl/.*": {
        "platform/crypto.c",
        "platform/crypto_seal.c",
        "platform/signing.c",
        "platform/signing_import.c",
        "platform/signing_jwk.c",
    },
    r"openssl/types\.h": {"platform/signing_import.h", "platform/signing_jwk.h"},
    r"sodium\.h|sodium/.*": {"platform/password_hash.c"},
    r"crypt\.h": {"platform/password_hash.c"},
    r"jansson\.h": {"platform/json_in.c"},
    r"utf8proc\.h": {"auth/unicode.c"},
    r"idn2\.h": {"auth/email.c"},
    r"curl/.*": {"net/http_client.c"},
    r"microhttpd\.h": {"net/http_request.c", "net/http_server.c"},
}

# Modules whose symbols have another prefix than the base name.
PREFIXES = {
    "codec": ("codec", "uuid"),
    "cpu_quota": ("cpu_quota", "cpu_pace"),
    "http_server": ("http",),
    "json_out": ("json",),
}

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 5
NESTING_MAX = 3

errors = []
warnings = []


def error(path, line, text):
    errors.append(f"{path}:{line}: error: {text}")


def warn(path, line, text):
    warnings.append(f"{path}:{line}: warning: {text}")


def blank(match):
    """Keeps the line breaks, so that line numbers stay true."""
    return re.sub(r"[^\n]", " ", match.group())


def code_only(text):
    """Without comments and without what stands in string and character literals."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_head(path, text):
    if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n"):
        error(path, 1, "the first line must be the SPDX one-liner")
    if path.suffix == ".h" and "\n#pragma once\n" not in text:
        error(path, 1, "a header needs #pragma once")


def check_includes(path, text, where):
    floor = where.split("/")[0]
    visible = {floor, *FLOORS[floor].split()}
    root = path.parents[len(pathlib.PurePath(where).parts) - 1]
    for match in re.finditer(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', text, flags=re.M):
        bracket, name = match.groups()
        line = line_of(text, match.start())
        if bracket == "<":
            check_outside(path, line, where, name)
            continue
        if "/" in name:
            error(path, line, f'include "{name}" by its bare name')
            continue
        homes = {f for f in FLOORS if (root / f / name).exists()}
        if homes and not homes & visible:
            error(path, line, f"floor {floor} does not see floor {homes.pop()} ({name})")


def check_outside(path, line, where, name):
    homes = set()
    for pattern, files in OUTSIDE.items():
        if re.fullmatch(pattern, name):
            homes |= files
    if homes and where not in homes:
        error(path, line, f"<{name}> is named by {', '.join(sorted(homes))} alone")


def starter_lines(code):
    """The lines of functions that may take memory, as their names say."""
    lines = set()
    for name, line, head, body in functions(code):
        if STARTERS.fullmatch(name):
            lines.update(range(line, line + head.count("\n") + body.count("\n") + 3))
    return lines


def check_banned(path, code, where):
    allowed = ALLOWED.get(where, ("", ""))[0].split()
    starters = starter_lines(code)
    for names, instead in BANNED.items():
        for match in re.finditer(rf"(?<![\w.>])({names.replace(' ', '|')})\s*\(", code):
            name = match.group(1)
            line = line_of(code, match.start())
            if name in allowed or (name in MALLOC.split() and line in starters):
                continue
            error(path, line, f"{name} is banned here; use {instead}")
    for match in re.finditer(r"\bgoto\b", code):
        error(path, line_of(code, match.start()), "goto")


def check_must_use(path, code):
    for match in re.finditer(r"^(?:static )?(?:inline )?enum error \w+\(", code, flags=re.M):
        if path.suffix == ".h":
            error(path, line_of(code, match.start()), "NODISCARD is missing")


def functions(code):
    """Name, first line, signature and body of each function that is defined."""
    pattern = r"^(?P<head>[A-Za-z_][^;{}#]*?\b(?P<name>\w+)\([^;{}]*\))\n\{\n(?P<body>.*?)^\}"
    for match in re.finditer(pattern, code, flags=re.M | re.S):
        yield match["name"], line_of(code, match.start()), match["head"], match["body"]


def parameter_count(head):
    depth = 0
    count = 1
    for char in head[head.index("(") + 1 :]:
        depth += (char == "(") - (char == ")")
        count += char == "," and depth == 0
    return count


def check_budgets(path, code):
    lines = code.count("\n")
    if lines > FILE_LINES_MAX:
        warn(path, 1, f"{lines} lines, budget {FILE_LINES_MAX}")
    for name, line, head, body in functions(code):
        length = body.count("\n") + 2 + head.count("\n") + 1
        if length > FUNCTION_LINES_MAX:
            warn(path, line, f"{name}: {length} lines, budget {FUNCTION_LINES_MAX}")
        if parameter_count(head) > PARAMETERS_MAX:
            text = f"{name}: {parameter_count(head)} parameters, budget {PARAMETERS_MAX}"
            warn(path, line, text)
        control = r"^((?:    )+)(?:\} else )?(?:if|for|while|switch|do)\b"
        depths = [len(m.group(1)) // 4 for m in re.finditer(control, body, flags=re.M)]
        if max(depths, default=0) > NESTING_MAX:
            warn(path, line, f"{name}: nesting {max(depths)}, budget {NESTING_MAX}")


def check_names(root, sources):
    """A file's base name is unique."""
    homes = collections.defaultdict(set)
    for path in sources:
        homes[path.stem].add(path.parent)
    for stem, folders in homes.items():
        if len(folders) > 1:
            names = ", ".join(sorted(str(folder.relative_to(root)) for folder in folders))
            error(root / "src", 1, f"the base name {stem} is used in {names}")


def prefixes(stem, headers):
    """What a file's symbols may begin with: its base name, or, for a part of a module (pg_args.c of
    pg.h), the module's; either in singular or plural too (lanes.h, lane_submit)."""
    modules = [stem] + [name for name in headers if stem.startswith(name + "_")]
    found = set()
    for module in modules:
        for prefix in PREFIXES.get(module, (module,)):
            found.update((prefix, prefix.removesuffix("s"), prefix + "s"))
    return found


def check_symbols(build, sources):
    """A file's base name is the prefix of what it defines for others."""
    stems = {path.stem for path in sources}
    headers = {path.stem for path in sources if path.suffix == ".h"}
    for archive in sorted(build.glob("src/libuser_service_*.a")):
        command = ["nm", "--print-file-name", "--extern-only", "--defined-only", archive]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for row in output.splitlines():
            place, _, symbol = row.rpartition(" ")
            member = re.search(r"([^/:_]+)_(\w+)\.c\.o", place)
            if not member or member.group(2) not in stems or "." in symbol:  # DW.ref.…: gcc's own
                continue
            stem = member.group(2)
            if not any(symbol == p or symbol.startswith(p + "_") for p in prefixes(stem, headers)):
                error(archive.name, 1, f"{stem}.c defines {symbol} for others")


def main(root, build):
    root = pathlib.Path(root).resolve()
    sources = sorted((root / "src").glob("*/*.[ch]"))
    for path in sources:
        text = path.read_text(encoding="utf-8")
        code = code_only(text)
        where = str(path.relative_to(root / "src"))
        check_head(path, text)
        check_includes(path, text, where)
        check_banned(path, code, where)
        check_must_use(path, code)
        check_budgets(path, code)
    check_names(root, sources)
    check_symbols(pathlib.Path(build), sources)

    for line in warnings + errors:
        print(line.replace(f"{root}/", ""))
    print(f"house: {len(sources)} files, {len(errors)} errors, {len(warnings)} warnings")
    return bool(errors)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

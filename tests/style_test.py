"""What the formatter does not see, in the project's own C++ sources:

* a line of more than 100 columns;
* statements joined by commas, `a = 1, b = 2;`, and declarations that initialise two variables or
  more;
* a control statement without braces around another one;
* functions that are long: the median has at most 6 lines, nine of ten at most 20, the longest at
  most 60.

  style_test.py [ROOT]             prints each finding as file:line and fails where there is one
  style_test.py --report [ROOT]    prints the findings and the same numbers, and does not fail

Lengths are counted by universal-ctags, the line of the name and the closing brace among them; those
of tests are not. Without that program they are not checked.
"""
import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

COLUMNS = 100
# A published migration: stores hold the hash of its text.
PUBLISHED = {"         SELECT ROW_NUMBER() OVER (ORDER BY clip, oracle, version), oracle, version, idempotency_key, state FROM requests)\","}
MEDIAN, TENTH, LONGEST = 6, 20, 60
CONTROL = {"if", "for", "while", "switch", "do", "try", "else"}
BEFORE_BLOCKS = {"const", "override", "final", "noexcept", "else", "do", "try", "mutable"}
DECLARE_BLOCKS = {"struct", "class", "union", "enum", "namespace", "extern", "concept", "requires"}
NO_TYPES = {"return", "throw", "co_return", "delete", "goto", "template"}
NO_STATEMENTS = {"using", "template", "typedef", "enum", "friend", "namespace"}

TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<text>(?:u8|[uUL])?R"(?P<tag>[^()\\\s]*)\(.*?\)(?P=tag)"'
    r'|(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\')'
    r'|(?P<directive>(?m:^[ \t]*)\#(?:\\\n|[^\n])*)'
    r'|(?P<word>[A-Za-z_]\w*)'
    r'|(?P<number>\.?\d(?:[eEpP][+-]|\'\d|[\w.])*)'
    r'|(?P<mark><<=|>>=|<=>|->\*|\.\.\.|::|->|\+\+|--|<<|[<>=!+\-*/%&|^]=|&&|\|\||[^\s\w])', re.S)

Token = collections.namedtuple("Token", "kind text at end")


def tokens_of(text):
    """Words, numbers, texts and marks; comments and lines of the preprocessor are left out."""
    found = []
    for match in TOKEN.finditer(text):
        kind = "text" if match.lastgroup == "tag" else match.lastgroup
        if kind not in ("comment", "directive"):
            found.append(Token(kind, match.group(), match.start(), match.end()))
    return found


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i].kind == "mark":
            if tokens[i].text in pairs:
                depth += 1
            elif tokens[i].text in pairs.values():
                depth -= 1
                if depth == 0:
                    return i
    return len(tokens) - 1


def after_header(tokens, at):
    """Where the body of the control statement at `at` begins."""
    i = at + 1
    if tokens[at].text in ("do", "try", "else"):
        return i
    if tokens[i].text == "constexpr":
        i += 1
    return closing(tokens, i) + 1


def statement_end(tokens, at):
    """The index of the last token of the statement that begins at `at`."""
    first = tokens[at].text
    if first == "{":
        return closing(tokens, at)
    if first in CONTROL:
        end = statement_end(tokens, after_header(tokens, at))
        if first == "do":
            while tokens[end].text != ";":
                end += 1
        more = first in ("if", "else", "try")
        while more and end + 1 < len(tokens) and tokens[end + 1].text in ("else", "catch"):
            begin = end + 2 if tokens[end + 1].text == "else" else closing(tokens, end + 2) + 1
            end = statement_end(tokens, begin)
        return end
    i = at
    while i < len(tokens) and tokens[i].text != ";":
        i = closing(tokens, i) + 1 if tokens[i].text in ("(", "[", "{") else i + 1
    return min(i, len(tokens) - 1)


def nested_without_braces(tokens):
    """(index of a control statement, index of its body) where the body is one without braces."""
    found = []
    for i, token in enumerate(tokens):
        if token.kind != "word" or token.text not in ("if", "for", "while", "else"):
            continue
        if token.text == "while" and i and is_end_of_do(tokens, i):
            continue
        body = after_header(tokens, i)
        if body >= len(tokens) or tokens[body].text not in CONTROL:
            continue
        if token.text == "else" and tokens[body].text == "if":
            continue
        found.append((i, body))
    return found


def mixed_chains(tokens):
    """(index of if or else, index of its body) of branches without braces beside some with them."""
    found = []
    for i, token in enumerate(tokens):
        if token.kind != "word" or token.text != "if":
            continue
        branches = branches_of(tokens, i)
        if any(tokens[body].text == "{" for _, body in branches):
            found += [(at, body) for at, body in branches if tokens[body].text != "{"]
    return found


def branches_of(tokens, at):
    """(index of if or else, index of its body) of each branch from the `if` at `at` on."""
    branches = []
    while True:
        body = after_header(tokens, at)
        branches.append((at, body))
        past = statement_end(tokens, body) + 1
        if past >= len(tokens) or tokens[past].text != "else":
            return branches
        if tokens[past + 1].text != "if":
            return branches + [(past, past + 1)]
        at = past + 1


def is_end_of_do(tokens, at):
    after = closing(tokens, at + 1) + 1
    return after < len(tokens) and tokens[after].text == ";" and tokens[at - 1].text == "}"


def statements(tokens, first=0, past=None):
    """(first, last) of each stretch between `;`, `{` and `}` that ends with `;`.

    Brackets within it are passed over, but for the bodies of lambdas.
    """
    past = len(tokens) if past is None else past
    begin = i = first
    while i < past:
        text = tokens[i].text if tokens[i].kind == "mark" else ""
        if text in ("(", "[") or text == "{" and is_value(tokens, i):
            end = closing(tokens, i)
            yield from statements_in_blocks(tokens, i + 1, end)
            i = end + 1
            continue
        if text == ";":
            yield begin, i
        if text in (";", "{", "}") or (text == ":" and is_label(tokens, begin, i)):
            begin = i + 1
        i += 1


def statements_in_blocks(tokens, first, past):
    i = first
    while i < past:
        if tokens[i].kind == "mark" and tokens[i].text == "{" and not is_value(tokens, i):
            end = closing(tokens, i)
            yield from statements(tokens, i + 1, end)
            i = end
        i += 1


def is_value(tokens, at):
    """Whether the brace at `at` begins a value: after =, a comma, `return`, a name or a >."""
    before = tokens[at - 1] if at else None
    if before is None:
        return False
    if before.text in ("=", ",", "return", "(", "?", ":", "[", "+", "-", "<<"):
        return before.text != ":"
    if before.text == ">":
        return True
    if before.kind != "word" or before.text in BEFORE_BLOCKS:
        return False
    return not introduces_block(tokens, at)


def introduces_block(tokens, at):
    """Whether the words before the brace at `at` declare a class or such, or head a function."""
    i = at - 1
    while i >= 0 and tokens[i].text not in (";", "{", "}", "(", ")", "="):
        if tokens[i].text in DECLARE_BLOCKS:
            variable = at - i == 3 and tokens[at - 1].text != "final"  # struct stat found{}
            return not variable
        i -= 1
    return i >= 0 and tokens[i].text == ")" and not any(t.text == "," for t in tokens[i:at])


def is_label(tokens, begin, at):
    return tokens[begin].text in ("case", "default", "public", "private", "protected")


def body_of(tokens, first):
    """Where the innermost statement begins that the control headers from `first` on govern."""
    while tokens[first].kind == "word" and tokens[first].text in CONTROL:
        first = after_header(tokens, first)
    return first


def split_at_commas(tokens, first, last):
    """The (first, past) of each part between commas outside brackets, those of templates too."""
    parts = []
    begin = i = first
    while i < last:
        text = tokens[i].text if tokens[i].kind == "mark" else ""
        if text in ("(", "[", "{"):
            i = closing(tokens, i) + 1
            continue
        if text == "<" and (past := past_template(tokens, i, last)):
            i = past
            continue
        if text == ",":
            parts.append((begin, i))
            begin = i + 1
        i += 1
    parts.append((begin, last))
    return parts


def past_template(tokens, at, last):
    """Past the `>` that closes the `<` at `at`, or 0 where that is a comparison."""
    if tokens[at - 1].kind != "word":
        return 0
    depth = 0
    i = at
    while i < last:
        text = tokens[i].text
        if text in ("(", "[", "{"):
            i = closing(tokens, i) + 1
            continue
        depth += {"<": 1, ">": -1}.get(text, 0)
        if depth == 0:
            return i + 1
        if text in ("&&", "||", ";", "=", "?", "+", "==") or tokens[i].kind == "text":
            return 0
        i += 1
    return 0


def top_level(tokens, first, past, wanted):
    i = first
    while i < past:
        if tokens[i].kind == "mark" and tokens[i].text in wanted:
            return i
        i = closing(tokens, i) + 1 if tokens[i].text in ("(", "[", "{") else i + 1
    return -1


def is_declaration(tokens, first, past):
    """Whether a part between commas begins with a type: words or a template before the name."""
    equal = top_level(tokens, first, past, {"="})
    end = equal if equal >= 0 else past
    if equal < 0:
        for i in range(first, past):
            if tokens[i].text in ("{", "("):
                end = i
                break
    if tokens[first].text in NO_TYPES:
        return False
    bracket = top_level(tokens, first, end, {"["})
    end = bracket if bracket >= 0 else end
    names = [t for t in tokens[first:end] if t.kind in ("word", "mark")]
    if len(names) < 2 or names[-1].kind != "word":
        return False
    if any(t.kind == "mark" and t.text not in ("::", "<", ">", ",", "*", "&", "&&") for t in names):
        return False
    if names[-2].text == "&&":
        return names[-3].text == "auto"
    return names[-2].kind == "word" or names[-2].text in (">", "*", "&") and len(names) > 2


def joined(tokens):
    """("comma", parts) of statements joined by commas, ("declared", parts) of variables."""
    for first, last in statements(tokens):
        first = body_of(tokens, first)
        if first >= last or tokens[first].text in NO_STATEMENTS:
            continue
        parts = split_at_commas(tokens, first, last)
        if len(parts) < 2:
            continue
        if is_declaration(tokens, *parts[0]):
            if sum(initialised(tokens, part) for part in parts) >= 2:
                yield "declared", parts
        elif not looks_declared(tokens, parts) and not streams(tokens, parts):
            yield "comma", parts


def initialised(tokens, part):
    return any(t.text in ("=", "{", "(") for t in tokens[part[0]:part[1]])


def looks_declared(tokens, parts):
    first = tokens[parts[0][0]:parts[0][1]]
    return any(t.text in ("operator", "template", "requires") for t in first)


def streams(tokens, parts):
    """SOCI's own commas: sql << text, use(a), into(b)."""
    return top_level(tokens, *parts[0], {"<<"}) >= 0


def findings_of(name, text):
    """(line, kind, words) of each finding of one file."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > COLUMNS and line not in PUBLISHED:
            found.append((number, "long", f"{len(line)} columns"))
    tokens = tokens_of(text)

    def find(at, kind, words):
        found.append((text.count("\n", 0, tokens[at].at) + 1, kind, words))

    for outer, body in nested_without_braces(tokens):
        words = f"`{tokens[outer].text}` around `{tokens[body].text}` without braces"
        find(outer, "braces", words)
    for outer, _ in sorted(set(mixed_chains(tokens))):
        find(outer, "braces", f"`{tokens[outer].text}` without braces beside a branch with them")
    for kind, parts in joined(tokens):
        words = text[tokens[parts[0][0]].at:tokens[parts[-1][1] - 1].end]
        find(parts[0][0], kind, " ".join(words.split()))
    return sorted(found)


def sources_of(root):
    command = ["git", "-C", root, "ls-files", "*.cc", "*.h"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.split("\n")
        return sorted(name for name in names if name and (root / name).is_file())
    folders = ("src", "tests", "fuzz", "bench", "reproduce", "cmake")
    files = [file for folder in folders for file in (root / folder).rglob("*")]
    return sorted(str(file.relative_to(root)) for file in files if file.suffix in (".cc", ".h"))


def function_lengths(root, names):
    """[(lines, file, line, function)], or none without universal-ctags."""
    if not shutil.which("ctags"):
        return []
    command = ["ctags", "--languages=C++", "--langmap=C++:.cc.h", "--kinds-C++=f", "--fields=+ne",
               "--output-format=json", "-f", "-", "-L", "-"]
    listed = subprocess.run(command, cwd=root, input="\n".join(names), capture_output=True,
                            text=True)
    if listed.returncode != 0:
        return []
    lengths = []
    for line in listed.stdout.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and "end" in tag:
            lengths.append((tag["end"] - tag["line"] + 1, tag["path"], tag["line"], tag["name"]))
    return sorted(lengths, reverse=True)


def main():
    parser = argparse.ArgumentParser()
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("root", nargs="?", default=root, type=pathlib.Path)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    names = sources_of(arguments.root)
    counts = collections.Counter()
    for name in names:
        for line, kind, words in findings_of(name, (arguments.root / name).read_text()):
            counts[kind] += 1
            print(f"{name}:{line}: {kind}: {words}")
    sources = [name for name in names if not name.endswith("_test.cc")]
    lengths = function_lengths(arguments.root, sources)
    failed = bool(counts)
    if lengths:
        lines = [length for length, *_ in lengths]
        median, tenth = lines[len(lines) // 2], lines[len(lines) // 10]
        for length, name, line, function in lengths:
            if length > LONGEST:
                print(f"{name}:{line}: function: {function} has {length} lines, at most {LONGEST}")
        failed |= median > MEDIAN or tenth > TENTH or lines[0] > LONGEST
        print(f"{len(lengths)} functions: median {median} lines (at most {MEDIAN}), "
              f"nine of ten {tenth} ({TENTH}), longest {lines[0]} ({LONGEST})")
    by_kind = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    print(f"{len(names)} files, findings: {by_kind or 'none'}")
    return 0 if arguments.report or not failed else 1


if __name__ == "__main__":
    sys.exit(main())

"""Feeds one reader of `tests.fakes.fuzzing` with inputs led by coverage (`atheris`, on libFuzzer); a program of its own.

    python -m tests.fakes.fuzzing_led TARGET SECONDS FOLDER

It ends with the process: with 0 when the time is over, else at the first input that makes the reader raise, take longer
than CALL_SECONDS_MAX or occupy more than MEMORY_MB_MAX. That input lies in the folder then, as `crash-…`, `timeout-…`
or `oom-…`.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["interactions", "connectors.mail.responses", "icalendar", "dateutil"]):
    from tests.fakes.fuzzing import CALL_SECONDS_MAX, INPUT_BYTES_MAX, WORDS, readers, seeds

MEMORY_MB_MAX = 512


def main(target: str, seconds: str, folder: Path) -> None:
    reader = readers()[target]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for n, raw in enumerate(seeds()[target]):
        (corpus / f"seed{n}").write_bytes(raw)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    options = {
        "max_total_time": seconds,
        "timeout": CALL_SECONDS_MAX,
        "rss_limit_mb": MEMORY_MB_MAX,
        "max_len": INPUT_BYTES_MAX,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }

    def feed(raw: bytes) -> None:
        reader(raw)

    atheris.Setup(
        [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), f"-dict={words}", str(corpus)], feed
    )
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

"""The spool: exactly once, whatever is cut off where."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streams.spool import Mark, Spool, SpoolError, count_lines, last_mark
from streams.target import Batch, Origin

GO = threading.Event()


def batch(first: int, count: int, *, topic: str = "cells", partition: int = 0, size: int = 1) -> Batch:
    made = Batch()
    for offset in range(first, first + count):
        made.add(Origin(topic, partition, offset, 0), [f"m,o={offset} i={i}i 1" for i in range(size)])
    return made


def data_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def test_a_batch_is_lines_and_one_comment(tmp_path: Path) -> None:
    spool = Spool(tmp_path, epoch="e1")
    assert spool.position("cells", 0) == 0
    spool.write(batch(0, 2), GO)
    spool.write(batch(2, 1), GO)
    spool.close()
    assert (tmp_path / "cells-0.lp").read_text() == (
        "m,o=0 i=0i 1\nm,o=1 i=0i 1\n# next cells 0 2 epoch e1 lines 2\n"
        "m,o=2 i=0i 1\n# next cells 0 3 epoch e1 lines 3\n"
    )


def test_messages_without_lines_move_the_offset(tmp_path: Path) -> None:
    spool = Spool(tmp_path, epoch="e1")
    spool.write(batch(0, 5, size=0), GO)
    spool.close()
    again = Spool(tmp_path, epoch="e1")
    assert again.position("cells", 0) == 5
    again.close()


@pytest.mark.parametrize("seed", range(20))
def test_cut_anywhere_it_goes_on_after_the_last_complete_batch(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "cells-0.lp"
    spool = Spool(tmp_path, epoch="e1")
    ends = [(0, 0)]
    for _ in range(6):
        spool.write(batch(ends[-1][0], n := rng.randint(1, 40), size=rng.randint(0, 3)), GO)
        ends.append((ends[-1][0] + n, path.stat().st_size))
    spool.close()
    cut = rng.randint(0, ends[-1][1])
    os.truncate(path, cut)
    with path.open("ab") as file:  # what a crash may leave after it
        file.write(rng.choice([b"", b"\x00\x00\x00", b"m,o=9 i=", b"# next cells 0 99 epoch e1 lines 7"]))
    expected = max((e for e in ends if e[1] <= cut), key=lambda e: e[0])
    again = Spool(tmp_path, epoch="e1")
    assert again.position("cells", 0) == expected[0]
    assert path.stat().st_size == expected[1]
    again.close()


def test_a_line_that_looks_like_a_comment_within_a_line_is_none(tmp_path: Path) -> None:
    spool = Spool(tmp_path, epoch="e1")
    made = batch(0, 1)
    made.add(Origin("cells", 0, 1, 0), ['m s="# next cells 0 99 epoch e1 lines 7" 1'])
    spool.write(made, GO)
    spool.close()
    path = tmp_path / "cells-0.lp"
    os.truncate(path, path.read_text().rindex("# next cells 0 2"))
    assert last_mark(path) is None


def test_a_comment_across_the_chunks_it_is_searched_in(tmp_path: Path) -> None:
    path = tmp_path / "cells-0.lp"
    mark = b"# next cells 0 5 epoch e1 lines 2\n"
    for after in (0, 1, 10, len(mark), 600, 5000):
        for shift in range(-2, 3):
            tail = (1 << 20) - len(mark) - after + shift
            path.write_bytes(b"x\n" + mark + b"y" * tail + b"z" * after)
            assert last_mark(path) == Mark("cells", 0, 5, "e1", 2, 2 + len(mark))


def test_another_epoch_begins_the_files_anew(tmp_path: Path) -> None:
    spool = Spool(tmp_path, epoch="e1")
    spool.write(batch(0, 5), GO)
    spool.write(batch(0, 5, topic="verdicts", partition=3), GO)
    spool.close()
    assert count_lines(tmp_path) == {"cells": 5, "verdicts": 5}
    again = Spool(tmp_path, epoch="e2")
    assert again.position("cells", 0) == 0 and again.position("verdicts", 3) == 0
    again.write(batch(0, 2), GO)
    again.close()
    assert count_lines(tmp_path) == {"cells": 2}


def test_a_batch_tried_again_is_not_written_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path, epoch="e1")
    same = batch(0, 3)
    spool.write(same, GO)
    spool.write(same, GO)
    spool.close()
    assert len(data_lines(tmp_path / "cells-0.lp")) == 3


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "notes.lp"
    other.write_text("mine")
    Spool(tmp_path, epoch="e1").close()
    assert other.read_text() == "mine"


def test_an_unwritable_folder_is_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "spool", Path("/proc/envstream-spool")):
        with pytest.raises(SpoolError) as caught:
            Spool(folder, epoch="e1")
        assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
        assert "give a folder this user can write" in str(caught.value)


def test_a_second_sink_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = Spool(tmp_path, epoch="e1")
    with pytest.raises(SpoolError, match="another sink writes here"):
        Spool(tmp_path, epoch="e1")
    first.close()
    Spool(tmp_path, epoch="e1").close()


def test_an_epoch_no_comment_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="epoch"):
        Spool(tmp_path, epoch="a b")


FULL = """
import resource, sys
from pathlib import Path
from streams.spool import Spool, SpoolError
from tests.streams.test_spool import GO, batch
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
spool = Spool(Path(sys.argv[1]), epoch="e1")
try:
    for n in range(0, 1000, 50):
        spool.write(batch(n, 50), GO)
except SpoolError as error:
    print(error)
"""


def test_a_full_disk_in_the_middle_of_a_batch_leaves_a_file_that_goes_on(tmp_path: Path) -> None:
    """A file size limit of the kernel: the write takes a part, the next one fails, as on a full disk."""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert "File too large: free some space" in ran.stdout and str(tmp_path / "cells-0.lp") in ran.stdout
    path = tmp_path / "cells-0.lp"
    assert 0 < path.stat().st_size <= 3000
    mark = last_mark(path)
    assert mark is not None and mark.end == path.stat().st_size, "the half batch was cut at once"
    spool = Spool(tmp_path, epoch="e1")
    begin = spool.position("cells", 0)
    assert begin == mark.next > 0
    spool.write(batch(begin, 1000 - begin), GO)
    spool.close()
    assert data_lines(path) == [f"m,o={n} i=0i 1" for n in range(1000)]

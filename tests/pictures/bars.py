"""Pictures of bars, and the command line, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import numpy as np

from imagegen import cli

HEIGHT, WIDTH = 6, 5
COLOURS = np.array([(255, 255, 255, 255), (200, 30, 30, 255), (20, 40, 160, 255)], np.uint8)


def said(capsys: Any, *words: object) -> tuple[int, str, str]:
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err
